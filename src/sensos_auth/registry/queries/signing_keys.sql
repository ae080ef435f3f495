-- name: signing_keys()
SELECT kid, algorithm, public_jwk, created_at, signs_from, signs_until, revoked_at,
       sealed_private_key IS NOT NULL
FROM signing_keys ORDER BY signs_from, created_version;

-- name: sealed_private_key(kid)$
SELECT sealed_private_key FROM signing_keys WHERE kid = :kid;

-- name: insert_signing_key(kid, algorithm, public_jwk, sealed_private_key, created_at, created_version, signs_from)!
INSERT INTO signing_keys (kid, algorithm, public_jwk, sealed_private_key, created_at, created_version, signs_from)
VALUES (:kid, :algorithm, :public_jwk, :sealed_private_key, :created_at, :created_version, :signs_from);

-- name: schedule_signing_key(kid, signs_from, signs_until)!
UPDATE signing_keys SET signs_from = :signs_from, signs_until = :signs_until WHERE kid = :kid;

-- name: revoke_signing_key(kid, revoked_at)!
UPDATE signing_keys SET revoked_at = :revoked_at, sealed_private_key = NULL WHERE kid = :kid;

-- name: erase_private_key(kid)!
UPDATE signing_keys SET sealed_private_key = NULL WHERE kid = :kid;
