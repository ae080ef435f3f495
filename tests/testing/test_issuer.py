"""The issuer of the test kit, judged by the real verifier."""

import jwt
import pytest

from sensos_auth.testing import LocalIssuer
from sensos_auth.verifying import InvalidToken, LocalJwks, Verifier


def verifier(issuer: LocalIssuer) -> Verifier:
    """Return a verifier that accepts what the issuer makes."""
    return Verifier(issuer=issuer.issuer, audience=issuer.audience, keys=LocalJwks(issuer.jwks()))


def test_its_tokens_are_accepted() -> None:
    """With the tenant, application and scopes that were asked for."""
    issuer = LocalIssuer()
    caller = verifier(issuer).verify(issuer.token(scope="devices:read trips:read"))
    assert (caller.tenant_id, caller.application_id) == (issuer.tenant_id, issuer.application_id)
    assert caller.scopes == {"devices:read", "trips:read"}
    other = verifier(issuer).verify(issuer.token(tenant_id="ten_b", application_id="app_b"))
    assert (other.tenant_id, other.application_id) == ("ten_b", "app_b")


def test_another_library_accepts_them() -> None:
    """PyJWT, by the same key set."""
    issuer = LocalIssuer()
    token = issuer.token()
    key = jwt.PyJWKSet.from_json(issuer.jwks())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], audience=issuer.audience, issuer=issuer.issuer)
    assert claims["sub"] == issuer.application_id


@pytest.mark.parametrize(
    "token",
    [
        lambda issuer: issuer.token(lifetime=-3600),
        lambda issuer: issuer.token(iss="https://somebody.example.com"),
        lambda issuer: issuer.token(aud="another-api"),
        lambda issuer: issuer.token(exp=None),
        lambda issuer: issuer.token(header={"typ": "JWT"}),
        lambda issuer: issuer.token(header={"kid": None}),
        lambda _: LocalIssuer().token(),
    ],
    ids=["expired", "issuer", "audience", "no exp", "typ", "no kid", "another's key"],
)
def test_tokens_that_must_be_refused_can_be_made(token: object) -> None:
    """Each with one thing wrong."""
    issuer = LocalIssuer()
    assert callable(token)
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(token(issuer))


def test_keys_rotate() -> None:
    """Tokens of the old key are accepted as long as it is published."""
    issuer = LocalIssuer()
    old = issuer.token()
    issuer.rotate_key()
    for token in (old, issuer.token()):
        assert verifier(issuer).verify(token).tenant_id == issuer.tenant_id
    issuer.rotate_key(keep_old=False)
    with pytest.raises(InvalidToken):
        verifier(issuer).verify(old)
