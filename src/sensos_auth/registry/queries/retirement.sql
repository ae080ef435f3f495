-- name: retirement_evidence(secret_id, now)^
-- What is known of the uses of a secret and of the application's other secrets that are good.
SELECT u.last_used_at, u.tokens_expire_at, c.uses_recorded_from,
       COALESCE(s.application_disabled_at, t.disabled_at),
       (SELECT COUNT(*) FROM secrets o
        WHERE o.application_id = s.application_id AND o.secret_id <> s.secret_id
          AND o.revoked_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > :now)),
       (SELECT COUNT(*) FROM secrets o
        WHERE o.application_id = s.application_id AND o.created_version > s.created_version
          AND o.revoked_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > :now)),
       (SELECT MAX(uo.last_used_at) FROM secrets o CROSS JOIN secret_uses uo
        WHERE o.application_id = s.application_id AND o.secret_id <> s.secret_id AND uo.secret_id = o.secret_id
          AND o.revoked_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > :now))
FROM secrets s
JOIN tenants t ON t.tenant_id = s.tenant_id
CROSS JOIN clock c
LEFT JOIN secret_uses u ON u.secret_id = s.secret_id
WHERE s.secret_id = :secret_id;

-- name: note_recording_of_uses(now)!
UPDATE clock SET uses_recorded_from = :now WHERE uses_recorded_from IS NULL;

-- name: secrets_to_retire(until)
-- Those whose time without use was over at :until (UTC seconds), of applications that could have used them. Where no
-- use was recorded, it counts from when recording began at the earliest.
SELECT s.secret_id, s.application_id
FROM secrets s
JOIN tenants t ON t.tenant_id = s.tenant_id
CROSS JOIN clock c
LEFT JOIN secret_uses u ON u.secret_id = s.secret_id
WHERE s.revoked_at IS NULL AND s.retire_unused_from IS NOT NULL AND s.retire_unused_from + s.retire_unused_for <= :until
  AND s.application_disabled_at IS NULL AND t.disabled_at IS NULL
  AND COALESCE(u.last_used_at, c.uses_recorded_from) + s.retire_unused_for <= :until
ORDER BY s.created_version, s.secret_id;
