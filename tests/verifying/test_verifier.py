import json
import threading
from typing import Any

import jwt
import pytest
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from sensos_auth.model.errors import ConfigurationError, InvalidInput
from sensos_auth.verifying import Caller, InsufficientScope, InvalidToken, KeysUnavailable, LocalJwks, Verifier
from tests.verifying.issued import (
    AUDIENCE,
    GOOD_CLAIMS,
    GOOD_TOKEN,
    ISSUER,
    KEY,
    VERIFIER,
    IssuingKey,
    good_claims,
    jwks_of,
    verifier_for,
)

KEYS = [KEY, IssuingKey("RS256"), IssuingKey("EdDSA")]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
def test_issued_token_is_verified(key: IssuingKey) -> None:
    """A token of the product's own signer is good, with each algorithm."""
    caller = verifier_for(*KEYS).verify(key.signer.mint(GOOD_CLAIMS))
    assert (caller.tenant_id, caller.application_id) == (GOOD_CLAIMS.tenant_id, GOOD_CLAIMS.client_id)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.algorithm)
def test_pyjwt_and_joserfc_agree(key: IssuingKey) -> None:
    """Two libraries that did not make the token read the same claims from it, with the JWK set alone."""
    token = key.signer.mint(GOOD_CLAIMS)
    ours = dict(verifier_for(*KEYS).verify(token).claims)
    by_pyjwt = jwt.decode(
        token,
        jwt.PyJWKSet.from_json(jwks_of(*KEYS))[key.pair.kid],
        algorithms=[key.algorithm],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_iat": False, "verify_exp": False},
    )
    key_set = KeySet.import_key_set(json.loads(jwks_of(*KEYS)))
    with pytest.warns(match="EdDSA is deprecated") if key.algorithm == "EdDSA" else _no_warning():
        by_joserfc = joserfc_jwt.decode(token, key_set, algorithms=[key.algorithm])
    assert ours == by_pyjwt == by_joserfc.claims


class _no_warning:  # noqa: N801 - reads as a function
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("name", ["issuer", "audience"])
@pytest.mark.parametrize(
    "value", ["", " ", None, b"sensos-api", ["sensos-api"], "sensos-api\n", " sensos-api"], ids=repr
)
def test_e34_issuer_and_audience_must_be_configured(name: str, value: object) -> None:
    """A verifier that was not told whose tokens it accepts, or for whom, or that could accept none, can't be made."""
    settings: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "keys": LocalJwks(jwks_of(KEY))}
    with pytest.raises(ConfigurationError):
        Verifier(**(settings | {name: value}))
    with pytest.raises(TypeError):
        Verifier(**{other: value for other, value in settings.items() if other != name})


@pytest.mark.parametrize("scope", ["", "devices:read", "devices:write devices:read", " devices:read  devices:read "])
def test_scopes_that_the_token_has_are_enough(scope: str) -> None:
    """The token must have all the scopes asked for, in any order."""
    assert VERIFIER.verify(GOOD_TOKEN, scope=scope).tenant_id


@pytest.mark.parametrize(
    "scope", ["admin", "devices", "devices:rea", "devices:read2", "DEVICES:READ", "devices:read admin", "devices:*"]
)
def test_e23_scope_is_compared_whole(scope: str) -> None:
    """A scope that the token lacks is InsufficientScope naming what is needed; prefixes and case don't count."""
    with pytest.raises(InsufficientScope) as refused:
        VERIFIER.verify(GOOD_TOKEN, scope=scope)
    assert refused.value.scope == scope


def test_bad_token_is_bad_whatever_the_scope() -> None:
    """The scope is looked at last, so a bad token never learns which scope is needed."""
    with pytest.raises(InvalidToken):
        VERIFIER.verify(GOOD_TOKEN[:-1], scope="admin")


def test_scope_asked_for_must_be_one() -> None:
    """A scope that can't be written into the challenge is InvalidInput."""
    with pytest.raises(InvalidInput):
        VERIFIER.verify(GOOD_TOKEN, scope='a"\r\nx: y')


def test_every_refusal_reads_the_same() -> None:
    """The text of InvalidToken never tells which check failed; reason does, without a part of the token."""
    texts, reasons = set(), set()
    for token in ("", GOOD_TOKEN[:-4], KEY.token(aud="x"), KEY.token(exp=1, iat=0), IssuingKey().token()):
        with pytest.raises(InvalidToken) as refused:
            VERIFIER.verify(token)
        texts.add(str(refused.value))
        reasons.add(refused.value.reason)
        assert refused.value.__cause__ is None
    assert texts == {"the access token is invalid or expired"}
    assert len(reasons) == 5


def test_no_keys_is_neither_good_nor_bad() -> None:
    """Keys that are not there are KeysUnavailable for a token that may be good; one that can't be is still refused."""

    class NoKeys:
        def find(self, kid: str) -> None:
            raise KeysUnavailable(kid)

    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=NoKeys())
    with pytest.raises(KeysUnavailable):
        verifier.verify(GOOD_TOKEN)
    with pytest.raises(InvalidToken):
        verifier.verify("no token")


def test_clock_is_the_systems() -> None:
    """Without a clock of its own, a verifier takes the system's."""
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=LocalJwks(jwks_of(KEY)))
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(KEY.token(iat=1_000_000_000, exp=1_000_000_060))
    assert refused.value.reason == "expired"
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(KEY.token(iat=4_000_000_000, exp=4_000_000_060))
    assert refused.value.reason == "not valid yet"


def test_many_threads_may_verify_at_once() -> None:
    """Eight threads get the callers of their own tokens, and only those."""
    tokens = {f"app_{n}": KEY.token(sub=f"app_{n}", client_id=f"app_{n}") for n in range(8)}
    wrong: list[object] = []

    def verify(application_id: str, token: str) -> None:
        for _ in range(200):
            caller = VERIFIER.verify(token)
            if caller.application_id != application_id:
                wrong.append(caller)

    threads = [threading.Thread(target=verify, args=item) for item in tokens.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_caller_is_frozen() -> None:
    """Neither the caller nor its claims can be changed, and its representation leaves the claims out."""
    caller = VERIFIER.verify(KEY.token(email="somebody@example.com"))
    with pytest.raises(AttributeError):
        caller.tenant_id = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        caller.claims["tenant_id"] = "other"  # type: ignore[index]
    assert "somebody" not in repr(caller)
    assert isinstance(hash(caller), int)
    assert isinstance(caller, Caller)


def test_order_of_the_claims_means_nothing() -> None:
    """Claims in another order are the same caller."""
    claims = dict(reversed(good_claims().items()))
    assert VERIFIER.verify(KEY.sign(KEY.header(), claims)) == VERIFIER.verify(GOOD_TOKEN)
