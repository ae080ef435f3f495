-- name: add_usage(minute, application_id, secret_id, tokens, refusals)*!
INSERT INTO usage (minute, application_id, secret_id, tokens, refusals)
VALUES (:minute, :application_id, :secret_id, :tokens, :refusals)
ON CONFLICT (minute, application_id, secret_id) DO UPDATE SET
    tokens = usage.tokens + excluded.tokens, refusals = usage.refusals + excluded.refusals;

-- name: write_secret_use(secret_id, last_used_at, tokens_expire_at)*!
-- Several workers write, in any order: the later time counts.
INSERT INTO secret_uses (secret_id, last_used_at, tokens_expire_at)
VALUES (:secret_id, :last_used_at, :tokens_expire_at)
ON CONFLICT (secret_id) DO UPDATE SET
    last_used_at = CASE WHEN excluded.last_used_at > secret_uses.last_used_at
                        THEN excluded.last_used_at ELSE secret_uses.last_used_at END,
    tokens_expire_at = CASE WHEN excluded.tokens_expire_at > secret_uses.tokens_expire_at
                            THEN excluded.tokens_expire_at ELSE secret_uses.tokens_expire_at END;

-- name: forget_secret_uses()!
DELETE FROM secret_uses;

-- name: end_recording_of_uses()!
UPDATE clock SET uses_recorded_from = NULL;

-- name: recording_of_uses()^
SELECT uses_recorded_from, EXISTS (SELECT 1 FROM secret_uses) FROM clock;

-- name: secret_use(secret_id)^
SELECT last_used_at, tokens_expire_at FROM secret_uses WHERE secret_id = :secret_id;

-- name: was_application_made(application_id)$
-- Deleted ones were, too.
SELECT EXISTS (SELECT 1 FROM applications WHERE application_id = :application_id);

-- name: usage_of_all(from_minute, until_minute, per, after_minute, after_application, limit)
SELECT u.application_id, a.tenant_id, (u.minute / :per) * :per,
       CAST(SUM(u.tokens) AS BIGINT), CAST(SUM(u.refusals) AS BIGINT)
FROM usage u
LEFT JOIN applications a ON a.application_id = u.application_id
WHERE u.minute >= :from_minute AND u.minute < :until_minute
  AND ((u.minute / :per) * :per, u.application_id) > (:after_minute, :after_application)
GROUP BY 3, 1, 2
ORDER BY 3, 1
LIMIT :limit;

-- name: usage_of_tenant(tenant_id, from_minute, until_minute, per, after_minute, after_application, limit)
SELECT u.application_id, a.tenant_id, (u.minute / :per) * :per,
       CAST(SUM(u.tokens) AS BIGINT), CAST(SUM(u.refusals) AS BIGINT)
FROM usage u
JOIN applications a ON a.application_id = u.application_id
WHERE u.minute >= :from_minute AND u.minute < :until_minute AND a.tenant_id = :tenant_id
  AND ((u.minute / :per) * :per, u.application_id) > (:after_minute, :after_application)
GROUP BY 3, 1, 2
ORDER BY 3, 1
LIMIT :limit;

-- name: usage_of_application(application_id, from_minute, until_minute, per, after_minute, after_application, limit)
-- Looks the application up minute by minute, so that the cost does not grow with what others use.
WITH RECURSIVE minutes(minute) AS (
    SELECT CAST(:from_minute AS BIGINT)
    UNION ALL SELECT minute + 1 FROM minutes WHERE minute + 1 < :until_minute
)
SELECT u.application_id, a.tenant_id, (u.minute / :per) * :per,
       CAST(SUM(u.tokens) AS BIGINT), CAST(SUM(u.refusals) AS BIGINT)
FROM minutes m
CROSS JOIN usage u
LEFT JOIN applications a ON a.application_id = u.application_id
WHERE u.minute = m.minute AND u.application_id = :application_id
  AND ((u.minute / :per) * :per, u.application_id) > (:after_minute, :after_application)
GROUP BY 3, 1, 2
ORDER BY 3, 1
LIMIT :limit;

-- name: tokens_of_secret(secret_id, from_minute, until_minute)$
WITH RECURSIVE minutes(minute) AS (
    SELECT CAST(:from_minute AS BIGINT)
    UNION ALL SELECT minute + 1 FROM minutes WHERE minute + 1 < :until_minute
)
SELECT CAST(COALESCE(SUM(u.tokens), 0) AS BIGINT)
FROM secrets s
CROSS JOIN minutes m
CROSS JOIN usage u
WHERE s.secret_id = :secret_id
  AND u.minute = m.minute AND u.application_id = s.application_id AND u.secret_id = s.secret_id;

-- name: oldest_usage()$
SELECT MIN(minute) FROM usage;

-- name: purge_usage(before_minute)!
DELETE FROM usage WHERE minute < :before_minute;

-- name: count_refusal_samples(since)$
SELECT COUNT(*) FROM refusal_samples WHERE sampled_at > :since;

-- name: was_refusal_sampled(application_id, since)$
SELECT EXISTS (SELECT 1 FROM refusal_samples WHERE application_id = :application_id AND sampled_at > :since);

-- name: note_refusal_sample(application_id, now)!
INSERT INTO refusal_samples (application_id, sampled_at) VALUES (:application_id, :now)
ON CONFLICT (application_id) DO UPDATE SET sampled_at = excluded.sampled_at;

-- name: forget_refusal_samples(until)!
DELETE FROM refusal_samples WHERE sampled_at <= :until;
