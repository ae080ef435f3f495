-- name: credential(digest)^
-- The hot read: everything that decides about one token request, in one snapshot.
-- It takes the first secret that is not before the digest, and reads its tenant whether or not it is the one asked for:
-- a miss costs what a hit costs, so the time tells nobody which secrets exist. secret_id is NULL when it was another's;
-- all else in the row is then to be thrown away (registry/credentials.py). No row at all comes for a digest behind the
-- last one: of n secrets, one miss in n + 1.
-- The joins are CROSS so that SQLite keeps their order.
SELECT CASE WHEN s.digest = :digest THEN s.secret_id END, s.application_id, s.tenant_id, s.expires_at,
       COALESCE(s.revoked_at, s.application_disabled_at, t.disabled_at), s.application_scope,
       COALESCE(s.application_lifetime, t.lifetime), s.application_audience, c.version, c.signing_keys_version
FROM secrets s CROSS JOIN tenants t CROSS JOIN clock c
WHERE s.digest >= :digest AND t.tenant_id = s.tenant_id AND c.only_row = 1
ORDER BY s.digest
LIMIT 1;

-- name: credentials(digests)
-- The same for several digests, in their order; for PostgreSQL. One that is behind the last secret gets a row of NULL.
-- With each, what the clock says of programs, and whether the primary has answered.
SELECT CASE WHEN s.digest = asked.digest THEN s.secret_id END, s.application_id, s.tenant_id, s.expires_at,
       COALESCE(s.revoked_at, s.application_disabled_at, t.disabled_at), s.application_scope,
       COALESCE(s.application_lifetime, t.lifetime), s.application_audience, c.version, c.signing_keys_version,
       c.oldest_program, pg_is_in_recovery()
FROM clock c
CROSS JOIN unnest(CAST(:digests AS BYTEA[])) WITH ORDINALITY AS asked (digest, place)
LEFT JOIN LATERAL (SELECT * FROM secrets WHERE secrets.digest >= asked.digest ORDER BY secrets.digest LIMIT 1) s ON TRUE
LEFT JOIN tenants t ON t.tenant_id = s.tenant_id
ORDER BY asked.place;

-- name: insert_secret(digest, secret_id, application_id, label, created_at, created_version, expires_at)!
INSERT INTO secrets (digest, secret_id, application_id, label, created_at, created_version, changed_version, expires_at,
                     tenant_id, application_scope, application_lifetime, application_audience, application_disabled_at)
SELECT :digest, :secret_id, application_id, :label, :created_at, :created_version, :created_version,
       CAST(:expires_at AS BIGINT), tenant_id, scope, lifetime, audience, disabled_at
FROM applications WHERE application_id = :application_id;

-- name: secret(secret_id)^
SELECT secret_id, application_id, tenant_id, label, created_at, expires_at, revoked_at, retire_unused_for, retire_unused_from,
       changed_version
FROM secrets
WHERE secret_id = :secret_id AND EXISTS
      (SELECT 1 FROM applications a WHERE a.application_id = secrets.application_id AND a.deleted_at IS NULL);

-- name: secrets(application_id, after, limit)
SELECT secret_id, application_id, tenant_id, label, created_at, expires_at, revoked_at, retire_unused_for, retire_unused_from,
       changed_version
FROM secrets
WHERE application_id = :application_id
  AND (created_version, secret_id) >
      (COALESCE((SELECT s.created_version FROM secrets s WHERE s.secret_id = :after), 0), :after)
ORDER BY created_version, secret_id
LIMIT :limit;

-- name: count_secrets(application_id)$
SELECT COUNT(*) FROM secrets WHERE application_id = :application_id;

-- name: write_secret(secret_id, label, expires_at, revoked_at, retire_unused_for, retire_unused_from, version)!
-- Who moves its end is warned anew.
UPDATE secrets
SET label = :label, expires_at = :expires_at, revoked_at = :revoked_at, retire_unused_for = :retire_unused_for,
    retire_unused_from = :retire_unused_from, changed_version = :version,
    warned_days = CASE WHEN expires_at = :expires_at THEN warned_days END
WHERE secret_id = :secret_id;

-- name: count_usable_secrets(application_id, now)$
SELECT COUNT(*) FROM secrets
WHERE application_id = :application_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now);

-- name: usable_secrets(application_id, now)
SELECT secret_id, application_id, tenant_id, label, created_at, expires_at, revoked_at, retire_unused_for, retire_unused_from,
       changed_version
FROM secrets
WHERE application_id = :application_id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
ORDER BY created_version, secret_id;
