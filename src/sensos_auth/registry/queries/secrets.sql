-- name: credential(digest)^
-- The hot read: everything that decides about one token request, in one snapshot.
SELECT s.secret_id, s.application_id, a.tenant_id, s.expires_at, s.revoked_at, a.disabled_at, t.disabled_at,
       a.scope, COALESCE(a.lifetime, t.lifetime), c.version, c.signing_keys_version
FROM secrets s
JOIN applications a ON a.application_id = s.application_id
JOIN tenants t ON t.tenant_id = a.tenant_id
JOIN clock c ON c.only_row = 1
WHERE s.digest = :digest;

-- name: insert_secret(digest, secret_id, application_id, created_at, created_version, expires_at)!
INSERT INTO secrets (digest, secret_id, application_id, created_at, created_version, expires_at)
VALUES (:digest, :secret_id, :application_id, :created_at, :created_version, :expires_at);

-- name: secret(secret_id)^
SELECT secret_id, application_id, created_at, expires_at, revoked_at FROM secrets WHERE secret_id = :secret_id;

-- name: secrets(application_id, after, limit)
SELECT secret_id, application_id, created_at, expires_at, revoked_at FROM secrets
WHERE application_id = :application_id
  AND (created_version, secret_id) >
      (COALESCE((SELECT s.created_version FROM secrets s WHERE s.secret_id = :after), 0), :after)
ORDER BY created_version, secret_id
LIMIT :limit;

-- name: set_secret_revoked(secret_id, revoked_at)!
UPDATE secrets SET revoked_at = :revoked_at WHERE secret_id = :secret_id;
