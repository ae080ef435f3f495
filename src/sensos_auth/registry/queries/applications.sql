-- name: insert_application(application_id, tenant_id, name, scope, lifetime, created_at, created_version)!
INSERT INTO applications (application_id, tenant_id, name, scope, lifetime, created_at, created_version)
VALUES (:application_id, :tenant_id, :name, :scope, :lifetime, :created_at, :created_version);

-- name: application(application_id)^
SELECT application_id, tenant_id, name, scope, lifetime, created_at, disabled_at
FROM applications WHERE application_id = :application_id;

-- name: applications(tenant_id, after, limit)
SELECT application_id, tenant_id, name, scope, lifetime, created_at, disabled_at FROM applications
WHERE (CAST(:tenant_id AS TEXT) IS NULL OR tenant_id = :tenant_id)
  AND (CAST(:after AS TEXT) IS NULL
       OR (created_version, application_id) >
          (SELECT a.created_version, a.application_id FROM applications a WHERE a.application_id = :after))
ORDER BY created_version, application_id
LIMIT :limit;

-- name: set_application_disabled(application_id, disabled_at)!
UPDATE applications SET disabled_at = :disabled_at WHERE application_id = :application_id;
