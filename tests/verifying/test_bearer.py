"""ATTACKS group G: the Authorization header of a request."""

import logging
from typing import Never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation import Provenance
from sensos_auth.verifying import (
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    LocalJwks,
    MissingToken,
    RevocationsUnavailable,
    Verifier,
    authenticate,
)
from sensos_auth.verifying.bearer import bearer_token
from tests.verifying.issued import APPLICATION, AUDIENCE, GOOD_TOKEN, ISSUER, KEY, NOW, VERIFIER, jwks_of


@pytest.mark.parametrize("value", [f"Bearer {GOOD_TOKEN}", f"Bearer {GOOD_TOKEN}".encode()], ids=["str", "bytes"])
def test_caller_comes_from_one_header(value: str | bytes) -> None:
    """One good header, as text or bytes, is the caller of its token."""
    assert authenticate(VERIFIER, [value]).application_id == APPLICATION


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "BeArEr"])
def test_g03_scheme_is_case_insensitive(scheme: str) -> None:
    """RFC 9110 section 11.1."""
    assert bearer_token([f"{scheme} a.b.c"]) == "a.b.c"


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param([], id="g01-no-header"),
        pytest.param([""], id="empty"),
        pytest.param([" "], id="space"),
        pytest.param(["Basic dXNlcjpwYXNz"], id="g04-basic"),
        pytest.param([f"Token {GOOD_TOKEN}"], id="g04-token"),
        pytest.param([f"JWT {GOOD_TOKEN}"], id="g04-jwt"),
        pytest.param([f"Bearer: {GOOD_TOKEN}"], id="g04-colon"),
        pytest.param([GOOD_TOKEN], id="g04-no-scheme"),
        pytest.param([f"Bearerx {GOOD_TOKEN}"], id="longer-scheme"),
        pytest.param([f"xBearer {GOOD_TOKEN}"], id="prefixed-scheme"),
        pytest.param([f" Bearer {GOOD_TOKEN}"], id="space-before"),
        pytest.param([f"DPoP {GOOD_TOKEN}"], id="g12-dpop"),
        pytest.param([f"Béarer {GOOD_TOKEN}".encode()], id="g10-utf-8-scheme"),
    ],
)
def test_no_bearer_credentials_are_a_missing_token(authorization: list[str | bytes]) -> None:
    """No header, and another scheme, are no access token (RFC 6750 section 3.1)."""
    with pytest.raises(MissingToken):
        authenticate(VERIFIER, authorization)


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(["Bearer"], id="g02-scheme-only"),
        pytest.param(["Bearer "], id="g02-scheme-and-space"),
        pytest.param([f"Bearer  {GOOD_TOKEN}"], id="g02-two-spaces"),
        pytest.param([f"Bearer\t{GOOD_TOKEN}"], id="g02-tab"),
        pytest.param([f"Bearer \t{GOOD_TOKEN}"], id="g02-space-and-tab"),
        pytest.param([f"Bearer {GOOD_TOKEN} "], id="g02-trailing-space"),
        pytest.param([f"Bearer\N{NO-BREAK SPACE}{GOOD_TOKEN}"], id="no-break-space"),
        pytest.param([f"Bearer {GOOD_TOKEN} x"], id="something-after"),
        pytest.param([f"Bearer Bearer {GOOD_TOKEN}"], id="d20-twice"),
        pytest.param([f'Bearer "{GOOD_TOKEN}"'], id="d20-quoted"),
        pytest.param([f"Bearer token={GOOD_TOKEN}"], id="parameter"),
        pytest.param([f"Bearer {GOOD_TOKEN}="], id="d13-padding"),
        pytest.param([f"Bearer {GOOD_TOKEN}, Bearer {GOOD_TOKEN}"], id="q13-merged-with-comma"),
        pytest.param([f"Bearer {GOOD_TOKEN},"], id="comma"),
        pytest.param([f"Bearer {GOOD_TOKEN}", f"Bearer {GOOD_TOKEN}"], id="g05-same-twice"),
        pytest.param([f"Bearer {GOOD_TOKEN}", "Bearer x"], id="g05-good-first"),
        pytest.param(["Bearer x", f"Bearer {GOOD_TOKEN}"], id="g05-good-last"),
        pytest.param([f"Bearer {GOOD_TOKEN}", "Basic x"], id="g05-other-scheme"),
        pytest.param([f"Bearer {GOOD_TOKEN}", ""], id="g05-empty-second"),
        pytest.param(["Bearer " + "a" * 65_536], id="g09-64-kib"),
        pytest.param([b"Bearer " + GOOD_TOKEN.encode() + b"\xff"], id="g10-latin-1"),
        pytest.param([b"Bearer " + GOOD_TOKEN.encode() + b"\0"], id="g10-nul"),
        pytest.param([b"Bearer " + GOOD_TOKEN.encode() + b"\r\n x"], id="g10-obs-fold"),
        pytest.param([f"Bearer {GOOD_TOKEN}\n"], id="newline"),
        pytest.param([f"Bearer {KEY.token(cnf={'jkt': 'x'})}"], id="g12-dpop-bound-token"),
        pytest.param(["Bearer a.b.c"], id="no-token"),
    ],
)
def test_other_bearer_credentials_are_an_invalid_token(authorization: list[str | bytes]) -> None:
    """Two headers, and a Bearer without exactly one good token behind one space, are an invalid token."""
    with pytest.raises(InvalidToken):
        authenticate(VERIFIER, authorization)


def test_scope_is_passed_on() -> None:
    """A good token without the scope is InsufficientScope."""
    with pytest.raises(InsufficientScope):
        authenticate(VERIFIER, [f"Bearer {GOOD_TOKEN}"], scope="admin")


@pytest.mark.parametrize("error", [RuntimeError, RegistryUnavailable, MemoryError, AssertionError])
def test_g16_whatever_breaks_lets_nobody_in(error: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    """An exception that nobody planned is KeysUnavailable, and is logged without its text, which may be anything."""

    class Broken:
        def find(self, kid: str) -> Never:
            raise error(f"{kid} {GOOD_TOKEN}")

    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=Broken())
    with pytest.raises(KeysUnavailable) as refused:
        authenticate(verifier, [f"Bearer {GOOD_TOKEN}"])
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    [record] = caplog.records
    assert (record.name, record.levelno) == ("sensos_auth.verifying", logging.ERROR)
    assert error.__name__ in record.getMessage()
    assert "test_bearer.py" in record.getMessage()
    assert not set(GOOD_TOKEN.split(".")) & set(caplog.text.replace(".", " ").split())


def test_own_why_a_token_is_not_good_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """In fixed words at level DEBUG: clients learn nothing of it, and whoever set up a service may have to."""
    other_audience = KEY.token(aud="other")
    with caplog.at_level(logging.DEBUG, "sensos_auth.verifying"):
        for authorization in ([], [f"Bearer {GOOD_TOKEN}", "Bearer x"], [f"Bearer {other_audience}"]):
            with pytest.raises((MissingToken, InvalidToken)):
                authenticate(VERIFIER, authorization)
    assert caplog.messages == ["refused: more than one Authorization header", "refused: wrong audience"]


def test_missing_news_of_revocations_are_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    """RevocationsUnavailable is no defect: it is passed on, and not logged for each request."""

    class Silent:
        def generation(self) -> Never:
            raise RevocationsUnavailable("too old")

        def voids(self, token: Provenance) -> bool:
            raise AssertionError(token)

    verifier = Verifier(
        issuer=ISSUER, audience=AUDIENCE, keys=LocalJwks(jwks_of(KEY)), revocations=Silent(), clock=lambda: NOW
    )
    with pytest.raises(RevocationsUnavailable):
        authenticate(verifier, [f"Bearer {GOOD_TOKEN}"])
    assert caplog.records == []


@given(st.lists(st.binary() | st.text() | st.binary().map(lambda data: b"Bearer " + data), max_size=3))
def test_any_headers_raise_nothing_else(authorization: list[bytes | str]) -> None:
    """Whatever the headers hold, they are a missing or an invalid token."""
    with pytest.raises((MissingToken, InvalidToken)):
        authenticate(VERIFIER, authorization)
