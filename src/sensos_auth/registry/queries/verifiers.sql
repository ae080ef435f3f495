-- name: is_known_verifier(application_id, name)$
SELECT EXISTS (SELECT 1 FROM verifiers WHERE application_id = :application_id AND name = :name);

-- name: count_verifiers(application_id)$
SELECT COUNT(*) FROM verifiers WHERE application_id = :application_id;

-- name: write_verifier(application_id, name, tenant_id, version, kids, seen_at, live_until, overtaken_by)!
-- Reports of several workers can come in another order than the polls did: the later poll counts. But what is far
-- ahead of the clock is of before the clock was set back.
INSERT INTO verifiers (application_id, name, tenant_id, version, kids, seen_at, live_until)
VALUES (:application_id, :name, :tenant_id, :version, :kids, :seen_at, :live_until)
ON CONFLICT (application_id, name) DO UPDATE SET
    tenant_id = excluded.tenant_id, version = excluded.version, kids = excluded.kids,
    seen_at = excluded.seen_at, live_until = excluded.live_until
WHERE verifiers.seen_at <= excluded.seen_at OR verifiers.seen_at > excluded.seen_at + :overtaken_by;

-- name: verifiers(application_id, name, limit)
SELECT application_id, name, tenant_id, version, kids, seen_at, live_until FROM verifiers
WHERE (application_id, name) > (:application_id, :name)
ORDER BY application_id, name
LIMIT :limit;

-- name: live_verifiers(now_ms, overtaken_by)
SELECT application_id, name, tenant_id, version, kids, seen_at, live_until FROM verifiers v
WHERE live_until > :now_ms AND seen_at <= :now_ms + :overtaken_by
  AND NOT EXISTS (SELECT 1 FROM applications a JOIN tenants t ON t.tenant_id = a.tenant_id
                  WHERE a.application_id = v.application_id
                    AND (a.disabled_at IS NOT NULL OR t.disabled_at IS NOT NULL))
ORDER BY application_id, name;

-- name: purge_verifiers(before_ms)!
DELETE FROM verifiers WHERE live_until <= :before_ms;
