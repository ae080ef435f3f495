-- name: ending_secrets(now, until)
-- The secrets that end after :now and until :until (UTC seconds), with the last warning that was given, and of which
-- application and tenant; not those that nobody can use.
SELECT s.secret_id, s.application_id, s.tenant_id, s.label, s.expires_at, s.warned_days
FROM secrets s JOIN tenants t ON t.tenant_id = s.tenant_id
WHERE s.revoked_at IS NULL AND s.expires_at IS NOT NULL AND s.expires_at > :now AND s.expires_at <= :until
  AND s.application_disabled_at IS NULL AND t.disabled_at IS NULL
ORDER BY s.expires_at, s.secret_id;

-- name: ending_secret(secret_id)^
SELECT s.secret_id, s.application_id, s.tenant_id, s.label, s.expires_at, s.warned_days
FROM secrets s JOIN tenants t ON t.tenant_id = s.tenant_id
WHERE s.secret_id = :secret_id AND s.revoked_at IS NULL AND s.expires_at IS NOT NULL
  AND s.application_disabled_at IS NULL AND t.disabled_at IS NULL;

-- name: write_warned_days(secret_id, days)!
UPDATE secrets SET warned_days = :days WHERE secret_id = :secret_id;
