-- name: write_verifier(application_id, name, tenant_id, version, kids, seen_at, live_until, most)!
-- Reports of several workers can come in another order than the polls did: the later poll counts.
INSERT INTO verifiers (application_id, name, tenant_id, version, kids, seen_at, live_until)
SELECT :application_id, :name, :tenant_id, :version, :kids, :seen_at, :live_until
WHERE EXISTS (SELECT 1 FROM verifiers v WHERE v.application_id = :application_id AND v.name = :name)
   OR (SELECT COUNT(*) FROM verifiers v WHERE v.application_id = :application_id) < :most
ON CONFLICT (application_id, name) DO UPDATE SET
    tenant_id = excluded.tenant_id, version = excluded.version, kids = excluded.kids,
    seen_at = excluded.seen_at, live_until = excluded.live_until
WHERE verifiers.seen_at <= excluded.seen_at;

-- name: verifiers(application_id, name, limit)
SELECT application_id, name, tenant_id, version, kids, seen_at, live_until FROM verifiers
WHERE (application_id, name) > (:application_id, :name)
ORDER BY application_id, name
LIMIT :limit;

-- name: live_verifiers(now_ms)
SELECT application_id, name, tenant_id, version, kids, seen_at, live_until FROM verifiers
WHERE live_until > :now_ms
ORDER BY application_id, name;

-- name: purge_verifiers(before_ms)!
DELETE FROM verifiers WHERE live_until <= :before_ms;
