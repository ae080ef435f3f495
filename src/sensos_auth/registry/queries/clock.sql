-- name: advance_clock(now_ms)^
UPDATE clock SET version = CASE WHEN version >= :now_ms THEN version + 1 ELSE :now_ms END
RETURNING version, audit_hash, oldest_program;

-- name: mark_signing_keys_changed(version)!
UPDATE clock SET signing_keys_version = :version;

-- name: clock()^
SELECT version, signing_keys_version, oldest_program FROM clock;

-- name: issuing_locked_at()$
SELECT issuing_locked_at FROM clock;

-- name: write_issuing_lock(locked_at)!
UPDATE clock SET issuing_locked_at = :locked_at;

-- name: raise_clock(version)!
-- To a version that was given before, of which this registry does not know.
UPDATE clock SET version = :version WHERE version < :version;

-- name: standing()^
-- For PostgreSQL. What a node asks several times in a second; and whether the primary has answered.
SELECT version, signing_keys_version, revocations_version,
       (SELECT COALESCE(MAX(version), 0) FROM audit_events), audit_hash, oldest_program,
       CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS FLOAT8), pg_is_in_recovery()
FROM clock;

-- name: who_reads_where()^
-- For PostgreSQL: what the clock says of programs, and whether the primary has answered.
SELECT oldest_program, pg_is_in_recovery() FROM clock;
