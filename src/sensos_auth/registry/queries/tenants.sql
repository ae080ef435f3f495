-- name: insert_tenant(tenant_id, name, lifetime, created_at, created_version)!
INSERT INTO tenants (tenant_id, name, lifetime, created_at, created_version, changed_version)
VALUES (:tenant_id, :name, :lifetime, :created_at, :created_version, :created_version);

-- name: tenant(tenant_id)^
SELECT tenant_id, name, lifetime, created_at, disabled_at, changed_version FROM tenants
WHERE tenant_id = :tenant_id AND deleted_at IS NULL;

-- name: tenants(after, limit)
SELECT tenant_id, name, lifetime, created_at, disabled_at, changed_version FROM tenants
WHERE deleted_at IS NULL
  AND (created_version, tenant_id) >
      (COALESCE((SELECT t.created_version FROM tenants t WHERE t.tenant_id = :after), 0), :after)
ORDER BY created_version, tenant_id
LIMIT :limit;

-- name: was_tenant_made(tenant_id)$
-- Deleted ones were, too.
SELECT EXISTS (SELECT 1 FROM tenants WHERE tenant_id = :tenant_id);

-- name: count_tenants()$
SELECT COUNT(*) FROM tenants WHERE deleted_at IS NULL;

-- name: write_tenant(tenant_id, name, lifetime, disabled_at, version)!
UPDATE tenants SET name = :name, lifetime = :lifetime, disabled_at = :disabled_at, changed_version = :version
WHERE tenant_id = :tenant_id;

-- name: delete_tenant(tenant_id, now, version)!
UPDATE tenants SET disabled_at = COALESCE(disabled_at, :now), deleted_at = :now, changed_version = :version
WHERE tenant_id = :tenant_id;
