-- name: write_revocation(kind, digest, version, void_before, ends_at)!
-- What is void stays void, for as long as it was said to: a second revocation only ever adds.
INSERT INTO revocations (kind, digest, version, void_before, ends_at)
VALUES (:kind, :digest, :version, :void_before, :ends_at)
ON CONFLICT (kind, digest) DO UPDATE SET
    version = excluded.version,
    void_before = CASE WHEN revocations.void_before > excluded.void_before
                       THEN revocations.void_before ELSE excluded.void_before END,
    ends_at = CASE WHEN revocations.ends_at > excluded.ends_at THEN revocations.ends_at ELSE excluded.ends_at END;

-- name: mark_revocations_changed(version)!
UPDATE clock SET revocations_version = :version;

-- name: revocations_version()$
SELECT revocations_version FROM clock;

-- name: registry_version()^
SELECT version, oldest_program FROM clock;

-- name: version_of_revocation(since, position)$
-- Of the entries after a version: the version of the one at the position, counted from 0.
SELECT version FROM revocations WHERE version > :since ORDER BY version LIMIT 1 OFFSET :position;

-- name: revocations_between(since, until, now)
SELECT kind, digest, void_before, ends_at FROM revocations
WHERE version > :since AND version <= :until AND ends_at > :now
ORDER BY version;

-- name: revocation(kind, digest)^
SELECT void_before, ends_at FROM revocations WHERE kind = :kind AND digest = :digest;

-- name: has_revocations_to_purge(before)$
SELECT EXISTS (SELECT 1 FROM revocations WHERE ends_at <= :before);

-- name: purge_revocations(before, limit)!
DELETE FROM revocations
WHERE (kind, digest) IN (SELECT kind, digest FROM revocations WHERE ends_at <= :before LIMIT :limit);

-- name: revocations_of_token(token, credential, application, tenant, signing_key)
-- All that is said of one token: five look-ups in the primary key.
SELECT void_before FROM revocations WHERE kind = 'token' AND digest = :token
UNION ALL SELECT void_before FROM revocations WHERE kind = 'credential' AND digest = :credential
UNION ALL SELECT void_before FROM revocations WHERE kind = 'application' AND digest = :application
UNION ALL SELECT void_before FROM revocations WHERE kind = 'tenant' AND digest = :tenant
UNION ALL SELECT void_before FROM revocations WHERE kind = 'signing_key' AND digest = :signing_key;
