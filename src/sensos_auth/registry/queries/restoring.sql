-- name: all_tenant_ids()
SELECT tenant_id FROM tenants;

-- name: all_application_ids()
SELECT application_id FROM applications;

-- name: all_secret_ids()
SELECT secret_id FROM secrets;
