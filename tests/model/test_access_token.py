import json

import msgspec

from sensos_auth.model.access_token import TOKEN_TYPE, Claims

_CLAIMS = Claims(
    iss="https://auth.example",
    sub="app_x",
    aud="api",
    iat=1,
    exp=2,
    jti="j",
    client_id="app_x",
    tenant_id="ten_x",
    credential_id="sec_x",
    rv=3,
)


def test_claims_are_those_of_the_contract() -> None:
    """The published names, and no others; ``scope`` only where there is one (RFC 9068 section 2.2.3)."""
    names = ["iss", "sub", "aud", "iat", "exp", "jti", "client_id", "tenant_id", "credential_id", "rv"]
    assert list(json.loads(msgspec.json.encode(_CLAIMS))) == names
    with_scope = msgspec.structs.replace(_CLAIMS, scope="a b")
    assert list(json.loads(msgspec.json.encode(with_scope))) == [*names, "scope"]


def test_type_is_that_of_rfc_9068() -> None:
    """RFC 9068 section 2.1."""
    assert TOKEN_TYPE == "at+jwt"
