-- name: sealed_keys()
SELECT kid, sealed_private_key FROM feed_keys
UNION ALL
SELECT kid, sealed_private_key FROM signing_keys WHERE sealed_private_key IS NOT NULL;

-- name: a_sealed_key()^
SELECT kid, sealed_private_key
FROM (SELECT kid, sealed_private_key FROM feed_keys
      UNION ALL
      SELECT kid, sealed_private_key FROM signing_keys WHERE sealed_private_key IS NOT NULL) AS sealed
LIMIT 1;

-- name: write_sealed_feed_key(kid, sealed_private_key)!
UPDATE feed_keys SET sealed_private_key = :sealed_private_key WHERE kid = :kid;

-- name: write_sealed_signing_key(kid, sealed_private_key)!
UPDATE signing_keys SET sealed_private_key = :sealed_private_key WHERE kid = :kid AND sealed_private_key IS NOT NULL;

-- name: drop_idempotent_answers()!
DELETE FROM idempotent_answers;
