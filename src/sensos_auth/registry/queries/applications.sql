-- name: insert_application(application_id, tenant_id, name, scope, lifetime, audience, created_at, created_version)!
INSERT INTO applications (application_id, tenant_id, name, scope, lifetime, audience, created_at, created_version,
                          changed_version)
VALUES (:application_id, :tenant_id, :name, :scope, :lifetime, :audience, :created_at, :created_version,
        :created_version);

-- name: application(application_id)^
SELECT application_id, tenant_id, name, scope, lifetime, audience, created_at, disabled_at, changed_version
FROM applications WHERE application_id = :application_id AND deleted_at IS NULL;

-- name: applications(after, limit)
SELECT application_id, tenant_id, name, scope, lifetime, audience, created_at, disabled_at, changed_version
FROM applications
WHERE deleted_at IS NULL
  AND (created_version, application_id) >
      (COALESCE((SELECT a.created_version FROM applications a WHERE a.application_id = :after), 0), :after)
ORDER BY created_version, application_id
LIMIT :limit;

-- name: applications_of_tenant(tenant_id, after, limit)
SELECT application_id, tenant_id, name, scope, lifetime, audience, created_at, disabled_at, changed_version
FROM applications
WHERE tenant_id = :tenant_id AND deleted_at IS NULL
  AND (created_version, application_id) >
      (COALESCE((SELECT a.created_version FROM applications a WHERE a.application_id = :after), 0), :after)
ORDER BY created_version, application_id
LIMIT :limit;

-- name: whose_application(application_id)$
-- Also of a deleted one.
SELECT tenant_id FROM applications WHERE application_id = :application_id;

-- name: count_applications()$
SELECT COUNT(*) FROM applications WHERE deleted_at IS NULL;

-- name: count_applications_of_tenant(tenant_id)$
SELECT COUNT(*) FROM applications WHERE tenant_id = :tenant_id AND deleted_at IS NULL;

-- name: write_application(application_id, name, scope, lifetime, audience, disabled_at, version)!
UPDATE applications
SET name = :name, scope = :scope, lifetime = :lifetime, audience = :audience, disabled_at = :disabled_at,
    changed_version = :version
WHERE application_id = :application_id;

-- name: delete_application(application_id, now, version)!
UPDATE applications SET disabled_at = COALESCE(disabled_at, :now), deleted_at = :now, changed_version = :version
WHERE application_id = :application_id;

-- name: applications_to_delete_with_tenant(tenant_id)
SELECT application_id FROM applications WHERE tenant_id = :tenant_id AND deleted_at IS NULL
ORDER BY created_version, application_id;

-- name: repeat_application_in_its_secrets(application_id)!
-- After every change to an application: its secrets repeat what the hot read needs of it.
UPDATE secrets
SET application_scope = a.scope, application_lifetime = a.lifetime,
    application_audience = a.audience, application_disabled_at = a.disabled_at
FROM applications a
WHERE a.application_id = :application_id AND secrets.application_id = :application_id;
