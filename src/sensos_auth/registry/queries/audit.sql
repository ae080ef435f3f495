-- name: record_event(version, position, at, actor, action, tenant_id, subject, details, hash_before, hash)!
INSERT INTO audit_events (version, position, at, actor, action, tenant_id, subject, details, hash_before, hash)
VALUES (:version, :position, :at, :actor, :action, :tenant_id, :subject, :details, :hash_before, :hash);

-- name: write_audit_hash(hash)!
UPDATE clock SET audit_hash = :hash;

-- name: audit_hash()$
SELECT audit_hash FROM clock;

-- name: events_page(version, position, since, until, actor, action, limit)
-- An action is given whole or by its first word.
SELECT version, position, at, actor, action, tenant_id, subject, details, hash
FROM audit_events
WHERE (version, position) > (:version, :position)
  AND at >= :since AND at < :until
  AND actor = COALESCE(:actor, actor)
  AND (action = COALESCE(:action, action) OR substr(action, 1, length(:action) + 1) = :action || '.')
ORDER BY version, position
LIMIT :limit;

-- name: events_page_of_tenant(tenant_id, version, position, since, until, actor, action, limit)
SELECT version, position, at, actor, action, tenant_id, subject, details, hash
FROM audit_events
WHERE tenant_id = :tenant_id AND (version, position) > (:version, :position)
  AND at >= :since AND at < :until
  AND actor = COALESCE(:actor, actor)
  AND (action = COALESCE(:action, action) OR substr(action, 1, length(:action) + 1) = :action || '.')
ORDER BY version, position
LIMIT :limit;

-- name: last_hash_of_version(version)$
SELECT hash FROM audit_events WHERE version = :version ORDER BY position DESC LIMIT 1;

-- name: count_events()$
SELECT COUNT(*) FROM audit_events;

-- name: chained_events(version, position, limit)
-- Whatever stands in the table, however it came there: nothing is filtered.
SELECT version, position, at, actor, action, tenant_id, subject, details, hash_before, hash
FROM audit_events
WHERE (version, position) > (:version, :position)
ORDER BY version, position
LIMIT :limit;

-- name: event_with_hash(hash)^
-- Reads the trail to its end at worst: there is no index for so rare a question.
SELECT version, position FROM audit_events WHERE hash = :hash LIMIT 1;
