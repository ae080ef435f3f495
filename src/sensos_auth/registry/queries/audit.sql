-- name: record_event(version, position, at, actor, action, tenant_id, subject, details, hash)!
INSERT INTO audit_events (version, position, at, actor, action, tenant_id, subject, details, hash)
VALUES (:version, :position, :at, :actor, :action, :tenant_id, :subject, :details, :hash);

-- name: write_audit_hash(hash)!
UPDATE clock SET audit_hash = :hash;

-- name: audit_hash()$
SELECT audit_hash FROM clock;

-- name: events()
SELECT version, position, at, actor, action, tenant_id, subject, details, hash
FROM audit_events ORDER BY version, position;
