-- name: advance_clock(now_ms)^
UPDATE clock SET version = CASE WHEN version >= :now_ms THEN version + 1 ELSE :now_ms END
RETURNING version, audit_hash;

-- name: mark_signing_keys_changed(version)!
UPDATE clock SET signing_keys_version = :version;

-- name: clock()^
SELECT version, signing_keys_version FROM clock;
