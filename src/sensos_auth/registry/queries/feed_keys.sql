-- name: feed_keys()
SELECT kid, public_jwk, sealed_private_key, created_at FROM feed_keys ORDER BY created_version;

-- name: insert_feed_key(kid, public_jwk, sealed_private_key, created_at, created_version)!
INSERT INTO feed_keys (kid, public_jwk, sealed_private_key, created_at, created_version)
VALUES (:kid, :public_jwk, :sealed_private_key, :created_at, :created_version);
