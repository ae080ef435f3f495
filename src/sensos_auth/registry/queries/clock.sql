-- name: advance_clock(now_ms)$
UPDATE clock SET version = CASE WHEN version >= :now_ms THEN version + 1 ELSE :now_ms END
RETURNING version;

-- name: mark_signing_keys_changed(version)!
UPDATE clock SET signing_keys_version = :version;

-- name: clock()^
SELECT version, signing_keys_version FROM clock;

-- name: record_event(version, position, at, actor, action, tenant_id, subject, details)!
INSERT INTO audit_events (version, position, at, actor, action, tenant_id, subject, details)
VALUES (:version, :position, :at, :actor, :action, :tenant_id, :subject, :details);

-- name: events()
SELECT version, position, at, actor, action, tenant_id, subject, details FROM audit_events ORDER BY version, position;
