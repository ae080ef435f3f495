"""GET /.well-known/jwks.json: what verifiers of any make need, and nothing that they must not have."""

import hashlib
import json
import shutil
import subprocess
import time
from pathlib import Path

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import revoke, rotate
from tests.running_service import AUDIENCE, JWKS_PATH, ExampleApplication, RunningService, running_service
from tests.server.forged_tokens import Forge

pytestmark = pytest.mark.engines("sqlite", "postgresql")


def _jwks(service: RunningService) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = service.client.get(JWKS_PATH).json()["keys"]
    return keys


def test_f01_f02_only_public_members(service: RunningService) -> None:
    """RFC 7517 section 5; no private member, no symmetric key, and a key ID that is the thumbprint (RFC 7638)."""
    (key,) = _jwks(service)
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    canonical = json.dumps({name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    assert jwt.utils.base64url_encode(hashlib.sha256(canonical.encode()).digest()).decode() == key["kid"]


def test_headers(service: RunningService) -> None:
    """JSON that may be kept for five minutes, with a strong ETag; no cookie."""
    answer = service.client.get(JWKS_PATH)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert len(answer.headers["etag"]) == 34
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{} , "other"', "*"])
def test_304_to_who_has_it(service: RunningService, form: str) -> None:
    """If-None-Match is compared weakly (RFC 9110 section 13.1.2); the answer repeats ETag and Cache-Control."""
    etag = service.client.get(JWKS_PATH).headers["etag"]
    answer = service.client.get(JWKS_PATH, headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content) == (304, b"")
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, "public, max-age=300")


@pytest.mark.parametrize(
    "value", ["", '"other"', "other", '"', "W/", ",,,", "\xff", '"' + "a" * 10_000 + '"'], ids=ascii
)
def test_200_to_who_has_another(service: RunningService, value: str) -> None:
    """Whatever is in If-None-Match."""
    answer = service.client.get(JWKS_PATH, headers={b"If-None-Match": value.encode("latin-1")})
    assert answer.status_code == 200


def test_f20_head(service: RunningService) -> None:
    """The headers of GET, without the body."""
    get, head = service.client.get(JWKS_PATH), service.client.head(JWKS_PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == str(len(get.content))


def test_pyjwt_verifies_with_the_jwks_url_alone(service: RunningService, application: ExampleApplication) -> None:
    """A library that did not make the token, with nothing but the address."""
    token = service.token(application)
    key = jwt.PyJWKClient(service.base_url + JWKS_PATH).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=service.base_url)
    assert claims["sub"] == application.application_id


def test_joserfc_verifies_with_the_jwks_url_alone(service: RunningService, application: ExampleApplication) -> None:
    """As above."""
    keys = KeySet.import_key_set(service.client.get(JWKS_PATH).json())
    token = joserfc_jwt.decode(service.token(application), keys, algorithms=["ES256"])
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": service.base_url}, aud={"essential": True, "value": AUDIENCE}
    )
    registry.validate(token.claims)
    assert token.claims["sub"] == application.application_id
    assert token.header["typ"] == "at+jwt"


NODE_PROGRAM = """
import { createRemoteJWKSet, jwtVerify } from "jose";
const [url, issuer, audience, token] = (await import("node:fs")).readFileSync(0, "utf8").split("\\n");
const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(url)), { issuer, audience, typ: "at+jwt" });
console.log(payload.sub);
"""


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.engines("sqlite")
def test_node_jose_verifies_with_the_jwks_url_alone(
    service: RunningService, application: ExampleApplication, tmp_path: Path
) -> None:
    """A library of another language. Skipped where there is no Node, or its package can't be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not here")
    (tmp_path / "package.json").write_text('{"type":"module","private":true}')
    npm = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "jose@6"]
    try:
        subprocess.run(npm, cwd=tmp_path, check=True, capture_output=True, timeout=40)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("the package jose can't be installed")
    (tmp_path / "verify.js").write_text(NODE_PROGRAM)
    lines = [service.base_url + JWKS_PATH, service.base_url, AUDIENCE, service.token(application)]
    result = subprocess.run(
        ["node", "verify.js"],
        cwd=tmp_path,
        input="\n".join(lines),
        text=True,
        capture_output=True,
        check=False,
        timeout=15,
    )
    assert (result.stdout.strip(), result.stderr) == (application.application_id, "")


def test_f12_f15_f16_rotation_and_revocation_while_it_serves(tmp_path: Path) -> None:
    """A rotated key is published at once and signs later; a revoked one is gone and refused at once."""
    with running_service(tmp_path / "data", at_once=True) as service:
        application = service.new_application()
        master_key = obtain_master_key(service.registry, service.environment)
        first = _jwks(service)[0]["kid"]
        old_token = service.token(application)
        etag = service.client.get(JWKS_PATH).headers["etag"]

        upcoming = rotate(service.registry, master_key, "ES256", actor="test", immediately=False).kid
        assert [key["kid"] for key in _jwks(service)] == [first, upcoming]
        assert service.client.get(JWKS_PATH, headers={"If-None-Match": etag}).status_code == 200
        assert jwt.get_unverified_header(service.token(application))["kid"] == first
        forge = Forge(service, application)
        assert forge.kid == first

        rotate(service.registry, master_key, "ES256", actor="test", immediately=True)
        new_token = service.token(application)
        assert jwt.get_unverified_header(new_token)["kid"] == upcoming
        assert _call(service, old_token) == _call(service, new_token) == 200

        revoke(service.registry, master_key, "ES256", first, actor="test")
        assert [key["kid"] for key in _jwks(service)] == [upcoming]
        assert _call(service, old_token) == 401
        assert _call(service, forge.token()) == 401
        assert _call(service, new_token) == 200

        revoke(service.registry, master_key, "ES256", upcoming, actor="test")
        third = _jwks(service)[0]["kid"]
        assert third not in {first, upcoming}
        assert jwt.get_unverified_header(service.token(application))["kid"] == third
        assert _call(service, new_token) == 401


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_other_algorithms(tmp_path: Path, algorithm: str) -> None:
    """A deployment may sign otherwise; the JWKS says with what, and others can verify."""
    with running_service(
        tmp_path / "data", environment={"SENSOS_AUTH_SIGNING_ALGORITHM": algorithm}, at_once=True
    ) as service:
        application = service.new_application()
        token = service.token(application)
        (key,) = _jwks(service)
        assert key["alg"] == algorithm == jwt.get_unverified_header(token)["alg"]
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(key)
        jwk = jwt.PyJWKClient(service.base_url + JWKS_PATH).get_signing_key_from_jwt(token)
        claims = jwt.decode(token, jwk, algorithms=[algorithm], audience=AUDIENCE, issuer=service.base_url)
        assert claims["exp"] > time.time()
        assert _call(service, token) == 200


def _call(service: RunningService, token: str) -> int:
    return service.client.get("/v1/endpoint", headers={"Authorization": f"Bearer {token}"}).status_code
