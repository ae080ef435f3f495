-- name: idempotent_answer(key_digest, now)^
SELECT request_digest, sealed_answer FROM idempotent_answers WHERE key_digest = :key_digest AND ends_at > :now;

-- name: keep_idempotent_answer(key_digest, request_digest, sealed_answer, ends_at)!
-- One that has ended may still be there.
INSERT INTO idempotent_answers (key_digest, request_digest, sealed_answer, ends_at)
VALUES (:key_digest, :request_digest, :sealed_answer, :ends_at)
ON CONFLICT (key_digest) DO UPDATE SET
    request_digest = excluded.request_digest, sealed_answer = excluded.sealed_answer, ends_at = excluded.ends_at;

-- name: purge_idempotent_answers(now)!
DELETE FROM idempotent_answers WHERE ends_at <= :now;

-- name: has_ended_idempotent_answers(now)$
SELECT EXISTS (SELECT 1 FROM idempotent_answers WHERE ends_at <= :now);
