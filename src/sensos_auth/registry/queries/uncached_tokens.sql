-- name: busiest_applications(tenant_id, from_minute, seconds, processes, lifetime, limit)
-- Those that got more tokens than so many processes need which keep theirs, each one at first and one per lifetime.
SELECT u.application_id, a.tenant_id, CAST(SUM(u.tokens) AS BIGINT), COALESCE(a.lifetime, t.lifetime, :lifetime)
FROM usage u
JOIN applications a ON a.application_id = u.application_id
JOIN tenants t ON t.tenant_id = a.tenant_id
WHERE u.minute >= :from_minute AND a.deleted_at IS NULL AND a.tenant_id = COALESCE(:tenant_id, a.tenant_id)
GROUP BY u.application_id, a.tenant_id, a.lifetime, t.lifetime
HAVING SUM(u.tokens) > :processes * (1 + :seconds / COALESCE(a.lifetime, t.lifetime, :lifetime))
ORDER BY 3 DESC, 1
LIMIT :limit;
