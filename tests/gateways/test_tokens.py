"""Each gateway, the real program with its example configuration: which tokens let a request through."""

import hmac
import time
from dataclasses import replace

import pytest

from sensos_auth.issuing.key_pair import new_key_pair, public_pem
from sensos_auth.issuing.minting import base64url
from sensos_auth.registry.revocations import revoke_token
from tests.gateways.asking import ASKS_SENSOS_AUTH, ask, assert_caller, assert_refused, send
from tests.gateways.conftest import Scene
from tests.gateways.programs import Gateway, running_gateway, why_not
from tests.server.forged_tokens import part
from tests.server.raw_http import RawConnection

_BAD_CLAIMS: dict[str, dict[str, object]] = {
    "expired": {"iat": int(time.time()) - 100, "exp": int(time.time()) - 2},
    "no-expiry": {"exp": ...},
    "from-tomorrow": {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
    "issuer": {"iss": "http://127.0.0.1.example.com"},
    "audience": {"aud": "other-api"},
    "no-audience": {"aud": ...},
}
_BAD_FORMS = ["type", "algorithm-none", "algorithm-misnamed", "hmac-with-public-key", "signature", "garbage"]


def _bad_form(scene: Scene, kind: str, good: str) -> str:
    forge = scene.forge()
    claims = forge.claims(iss=scene.issuer)
    header, payload, signature = good.split(".")
    forms = {
        "type": forge.token(header=forge.header(typ="JWT"), claims=claims),
        "algorithm-none": (part(forge.header(alg="none")) + b"." + part(claims) + b".").decode(),
        "algorithm-misnamed": forge.token(header=forge.header(alg="HS256"), claims=claims),
        "hmac-with-public-key": _hmac_signed(scene, forge.header(alg="HS256"), claims),
        "signature": f"{header}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        "garbage": "garbage",
    }
    return forms[kind]


def _hmac_signed(scene: Scene, header: dict[str, object], claims: dict[str, object]) -> str:
    message = part(header) + b"." + part(claims)
    key = scene.surroundings.key_file.read_bytes()
    return (message + b"." + base64url(hmac.digest(key, message, "sha256"))).decode()


def test_forged_good_token(gateway: Gateway, scene: Scene) -> None:
    """What the tests sign is refused for what is wrong with it: with nothing wrong, it passes."""
    forge = scene.forge()
    assert_caller(ask(gateway, forge.token(claims=forge.claims(iss=scene.issuer))), scene.application)


@pytest.mark.parametrize("kind", _BAD_CLAIMS)
def test_bad_claims(gateway: Gateway, scene: Scene, kind: str) -> None:
    """Refused although signed, and nothing reaches the API."""
    forge = scene.forge()
    bad = forge.token(claims=forge.claims(**({"iss": scene.issuer} | _BAD_CLAIMS[kind])))
    assert_refused(gateway, ask(gateway, bad), 'Bearer error="invalid_token"')


def test_e02_token_expires_with_its_last_second(gateway: Gateway, scene: Scene) -> None:
    """Good until exp (with Apache until a second later), refused from then on: whatever the gateway remembers of it."""
    forge = scene.forge()
    expires_at = int(time.time() + 1.5)
    token = forge.token(claims=forge.claims(iss=scene.issuer, exp=expires_at))
    ends_at = expires_at + (gateway.name == "apache")  # mod_oauth2 counts the second of exp as good
    with RawConnection(gateway.port) as connection:
        asked_at, tried = time.time(), send(connection, "GET", "/things", [("Authorization", f"Bearer {token}")])
        while tried.status == 200:
            assert asked_at < ends_at
            time.sleep(0.05)
            asked_at, tried = time.time(), send(connection, "GET", "/things", [("Authorization", f"Bearer {token}")])
    assert time.time() >= expires_at
    assert_refused(gateway, tried, 'Bearer error="invalid_token"')


@pytest.mark.parametrize("kind", _BAD_FORMS)
def test_bad_form(gateway: Gateway, scene: Scene, token: str, kind: str) -> None:
    """Refused, and nothing reaches the API."""
    tried = ask(gateway, _bad_form(scene, kind, token))
    if gateway.name == "apache" and kind == "type":
        assert_caller(tried, scene.application)  # mod_oauth2 does not look at typ, as docs/gateways.md says
        return
    assert_refused(gateway, tried, 'Bearer error="invalid_token"')


@pytest.mark.parametrize(
    "credentials",
    ["Bearer a=.b.c", "Bearer token={token}", "Bearer  {token}", "Bearer {token} x", "Bearer", "Bearer \u00e9.b.c"],
)
def test_g02_header_that_is_no_token(gateway: Gateway, scene: Scene, token: str, credentials: str) -> None:
    """Refused, and the gateway goes on: the first of these ends an Apache whose mod_oauth2 sees it."""
    tried = ask(gateway, None, ("Authorization", credentials.format(token=token)))
    assert_refused(gateway, tried, 'Bearer error="invalid_token"')
    assert_caller(ask(gateway, token), scene.application, "devices:read devices:write")


def test_q13_two_authorization_headers(gateway: Gateway, token: str, other_token: str) -> None:
    """Denied, as two headers or as one: nobody chooses between them."""
    for headers in (
        [("Authorization", f"Bearer {token}"), ("authorization", f"Bearer {other_token}")],
        [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")],
        [("Authorization", f"Bearer {token}, Bearer {other_token}")],
    ):
        tried = ask(gateway, None, *headers)
        assert tried.api is None
        assert tried.status in ({400, 401} if gateway.name == "nginx" else {401})


def test_revoked_token(gateway: Gateway, scene: Scene) -> None:
    """Refused at once by the gateways that ask; the others take it until it expires, as docs/gateways.md says."""
    revoked = scene.service.token(scene.application)
    tried = ask(gateway, revoked)
    assert tried.status == 200
    with scene.service.registry.change("test") as change:
        revoke_token(change, tried.identity()["x-sensos-token-id"])
    tried = ask(gateway, revoked)
    if gateway.name in ASKS_SENSOS_AUTH:
        assert_refused(gateway, tried, 'Bearer error="invalid_token"')
    else:
        assert tried.status == 200


def test_haproxy_with_two_keys(scene: Scene, token: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One line for each key: a token of either passes, whatever the order of the lines."""
    if reason := why_not("haproxy"):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("two-keys")
    other_key = folder / "other.pem"
    other_key.write_text(public_pem(new_key_pair("ES256").public_jwk))
    line = f'    acl signed var(txn.token),jwt_verify(ES256,"{other_key}") -m int 1\n'
    surroundings = scene.surroundings
    for number, (before, after) in enumerate(((line, ""), ("", line))):
        edits = [
            ("    acl signed", f"{before}    acl signed"),
            ("    acl access_token", f"{after}    acl access_token"),
        ]
        with running_gateway("haproxy", folder / str(number), surroundings, edits) as haproxy:
            assert_caller(ask(haproxy, token), scene.application, "devices:read devices:write")
            assert_refused(haproxy, ask(haproxy, _bad_form(scene, "signature", token)), 'Bearer error="invalid_token"')
    with running_gateway("haproxy", folder / "alone", replace(surroundings, key_file=other_key)) as haproxy:
        assert_refused(haproxy, ask(haproxy, token), 'Bearer error="invalid_token"')
