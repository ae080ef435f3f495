-- name: webhook_state()^
SELECT version, webhook_version, webhook_turn_until FROM clock;

-- name: begin_webhook()!
UPDATE clock SET webhook_version = version WHERE webhook_version = 0;

-- name: take_webhook_turn(now_ms, until_ms)^
UPDATE clock SET webhook_turn_until = :until_ms WHERE webhook_turn_until <= :now_ms
RETURNING version, webhook_version, webhook_failures;

-- name: events_to_tell(action, after, limit)
SELECT version, position, at, actor, action, tenant_id, subject, details
FROM audit_events WHERE version > :after AND action = :action
ORDER BY version, position
LIMIT :limit;

-- name: note_webhook_told(version, until_ms)!
UPDATE clock SET webhook_version = CASE WHEN webhook_version < :version THEN :version ELSE webhook_version END,
                 webhook_failures = 0, webhook_turn_until = :until_ms;

-- name: note_webhook_failure(until_ms)!
UPDATE clock SET webhook_failures = webhook_failures + 1, webhook_turn_until = :until_ms;
