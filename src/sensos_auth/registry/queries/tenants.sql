-- name: insert_tenant(tenant_id, name, lifetime, created_at, created_version)!
INSERT INTO tenants (tenant_id, name, lifetime, created_at, created_version)
VALUES (:tenant_id, :name, :lifetime, :created_at, :created_version);

-- name: tenant(tenant_id)^
SELECT tenant_id, name, lifetime, created_at, disabled_at FROM tenants WHERE tenant_id = :tenant_id;

-- name: tenants(after, limit)
SELECT tenant_id, name, lifetime, created_at, disabled_at FROM tenants
WHERE (created_version, tenant_id) >
      (COALESCE((SELECT t.created_version FROM tenants t WHERE t.tenant_id = :after), 0), :after)
ORDER BY created_version, tenant_id
LIMIT :limit;

-- name: set_tenant_disabled(tenant_id, disabled_at)!
UPDATE tenants SET disabled_at = :disabled_at WHERE tenant_id = :tenant_id;
