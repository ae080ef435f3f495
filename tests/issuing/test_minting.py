import base64
import json

import jwt
import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import import_key

from sensos_auth.issuing.key_pair import KeyPair, load_signature_function, new_key_pair
from sensos_auth.issuing.minting import CLAIMS_LIMIT, Signer, new_token_id
from sensos_auth.model.access_token import Claims
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.signing_key import ALGORITHMS, Algorithm

_CLAIMS = Claims(
    iss="https://auth.example",
    sub="app_x",
    aud="api",
    iat=1_700_000_000,
    exp=4_000_000_000,
    jti="j",
    client_id="app_x",
    tenant_id="ten_x",
    credential_id="sec_x",
    rv=1_800_000_000_000,
    scope="read écrire",
)


def _signer(pair: KeyPair) -> Signer:
    return Signer(pair.kid, pair.algorithm, load_signature_function(pair.algorithm, pair.private_key))


def _decoded(part: str) -> dict[str, object]:
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_header_is_that_of_the_contract(algorithm: Algorithm) -> None:
    """``alg``, ``typ`` and ``kid``, and nothing else (RFC 9068 section 2.1)."""
    pair = new_key_pair(algorithm)
    header, payload, _ = _signer(pair).mint(_CLAIMS).split(".")
    assert _decoded(header) == {"alg": algorithm, "typ": "at+jwt", "kid": pair.kid}
    assert _decoded(payload) == msgspec.to_builtins(_CLAIMS)
    assert "=" not in header + payload


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_pyjwt_verifies_the_token(algorithm: Algorithm) -> None:
    """PyJWT accepts it with the public JWK alone, and refuses it when a character of it is changed."""
    pair = new_key_pair(algorithm)
    token = _signer(pair).mint(_CLAIMS)
    key = jwt.PyJWK.from_json(pair.public_jwk)
    claims = jwt.decode(token, key, algorithms=[algorithm], audience="api", issuer="https://auth.example")
    assert claims == msgspec.to_builtins(_CLAIMS)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-20] + ("A" if token[-20] != "A" else "B") + token[-19:], key, algorithms=[algorithm])


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")  # EdDSA: RFC 9864 prefers another name for it
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_joserfc_verifies_the_token(algorithm: Algorithm) -> None:
    """Joserfc accepts it with the public JWK alone."""
    pair = new_key_pair(algorithm)
    key = import_key(json.loads(pair.public_jwk))
    verified = jws.deserialize_compact(_signer(pair).mint(_CLAIMS), key, algorithms=[algorithm])
    assert json.loads(verified.payload) == msgspec.to_builtins(_CLAIMS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_same_claims_same_token(algorithm: Algorithm) -> None:
    """Signatures need no random numbers that a cloned machine could repeat (RFC 6979, RFC 8032)."""
    pair = new_key_pair(algorithm)
    assert _signer(pair).mint(_CLAIMS) == _signer(pair).mint(_CLAIMS)


def test_e28_claims_of_4_kib_are_refused_and_never_cut() -> None:
    """One byte below the limit is minted whole; at the limit, minting is refused and says what to shorten."""
    signer = _signer(new_key_pair("ES256"))
    room = CLAIMS_LIMIT - 1 - len(msgspec.json.encode(msgspec.structs.replace(_CLAIMS, scope="x"))) + 1
    token = signer.mint(msgspec.structs.replace(_CLAIMS, scope="x" * room))
    assert _decoded(token.split(".")[1])["scope"] == "x" * room
    with pytest.raises(ConfigurationError, match=r"reach 4096 bytes.*SENSOS_AUTH_ISSUER"):
        signer.mint(msgspec.structs.replace(_CLAIMS, scope="x" * (room + 1)))


def test_signer_hides_its_key() -> None:
    """The representation of a signer shows no key."""
    assert repr(_signer(new_key_pair("ES256"))).startswith("<sensos_auth.issuing.minting.Signer object")


def test_token_ids_are_128_random_bits() -> None:
    """22 characters of base64url, never the same twice."""
    made = {new_token_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert {len(one) for one in made} == {22}
