-- name: insert_application(application_id, tenant_id, name, scope, lifetime, created_at, created_version)!
INSERT INTO applications (application_id, tenant_id, name, scope, lifetime, created_at, created_version)
VALUES (:application_id, :tenant_id, :name, :scope, :lifetime, :created_at, :created_version);

-- name: application(application_id)^
SELECT application_id, tenant_id, name, scope, lifetime, created_at, disabled_at
FROM applications WHERE application_id = :application_id;

-- name: applications(after, limit)
SELECT application_id, tenant_id, name, scope, lifetime, created_at, disabled_at FROM applications
WHERE (created_version, application_id) >
      (COALESCE((SELECT a.created_version FROM applications a WHERE a.application_id = :after), 0), :after)
ORDER BY created_version, application_id
LIMIT :limit;

-- name: applications_of_tenant(tenant_id, after, limit)
SELECT application_id, tenant_id, name, scope, lifetime, created_at, disabled_at FROM applications
WHERE tenant_id = :tenant_id
  AND (created_version, application_id) >
      (COALESCE((SELECT a.created_version FROM applications a WHERE a.application_id = :after), 0), :after)
ORDER BY created_version, application_id
LIMIT :limit;

-- name: set_application_disabled(application_id, disabled_at)!
UPDATE applications SET disabled_at = :disabled_at WHERE application_id = :application_id;

-- name: repeat_application_in_its_secrets(application_id)!
-- After every change to an application: its secrets repeat what the hot read needs of it.
UPDATE secrets
SET application_scope = a.scope, application_lifetime = a.lifetime, application_disabled_at = a.disabled_at
FROM applications a
WHERE a.application_id = :application_id AND secrets.application_id = :application_id;
