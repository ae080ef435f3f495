from collections.abc import Callable

import msgspec
import pytest

from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.verifying import InvalidToken, LocalJwks, parse_jwks
from sensos_auth.verifying.feed_page import FEED, PageRefused, read_page
from tests.verifying.feed_server import FEED_KEY, signed
from tests.verifying.issued import ISSUER, KEY, IssuingKey, good_claims, jwks_of, verifier_for

PAGE = RevocationPage(issuer=ISSUER, since=7, version=9, as_of=1, tenants=[(b"x" * 16, 8, 1 << 31)])
BODY = msgspec.json.encode(PAGE)
SIGNATURE = signed(BODY)
OTHER_KEY = IssuingKey("EdDSA")
KEYS = LocalJwks(jwks_of(FEED_KEY), profile=FEED)


def read(body: bytes = BODY, signature: str = SIGNATURE, *, issuer: str = ISSUER, since: int = 7) -> RevocationPage:
    """Read the page with the feed's key."""
    return read_page(body, signature, keys=KEYS, issuer=issuer, since=since)


def changed(**members: object) -> bytes:
    """Return the page with some members changed."""
    return msgspec.json.encode(msgspec.to_builtins(PAGE) | members)


BAD_SIGNATURES: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "nonsense": lambda: "nonsense",
    "two dots": lambda: "..",
    "another key": lambda: signed(BODY, OTHER_KEY),
    "another key under the feed's ID": lambda: signed(BODY, OTHER_KEY, kid=FEED_KEY.pair.kid),
    "a token's key": lambda: signed(BODY, KEY),
    "a token's key under the feed's ID": lambda: signed(BODY, KEY, kid=FEED_KEY.pair.kid),
    "typed as an access token": lambda: signed(BODY, typ="at+jwt"),
    "without a type": lambda: signed(BODY, typ=...),
    "type in capitals": lambda: signed(BODY, typ="SENSOS-REVOCATIONS"),
    "alg none": lambda: signed(BODY, alg="none"),
    "alg HS256": lambda: signed(BODY, alg="HS256"),
    "alg ES256": lambda: signed(BODY, alg="ES256"),
    "without a kid": lambda: signed(BODY, kid=...),
    "kid is a number": lambda: signed(BODY, kid=5),
    "brings its key": lambda: signed(BODY, jwk=OTHER_KEY.jwk),
    "critical extension": lambda: signed(BODY, crit=["b64"], b64=False),
    "payload attached": lambda: FEED_KEY.sign(FEED_KEY.header(typ="sensos-revocations"), BODY),
    "of another page": lambda: signed(changed(version=10)),
    "cut": lambda: SIGNATURE[:-4],
    "stray bits": lambda: SIGNATURE[:-1] + ("h" if SIGNATURE[-1] != "h" else "i"),
    "too long": lambda: signed(BODY, x="y" * 9000),
}

BAD_PAGES = {
    "garbage": b"\0\xff",
    "a list": b"[]",
    "deep nesting": b"[" * 100_000,
    "HTML": b"<html></html>",
    "another issuer": changed(issuer="https://evil.example.com"),
    "an issuer with a slash more": changed(issuer=ISSUER + "/"),
    "another since": changed(since=6),
    "a lower version": changed(version=6),
    "version is text": changed(version="9"),
    "a member missing": msgspec.json.encode({"issuer": ISSUER, "since": 7}),
    "digests that are not base64": changed(tenants=[("?", 8, 9)]),
}


class TestReadPage:
    """Bytes and a signature in, a page out."""

    def test_a_good_page_is_read(self) -> None:
        """With the feed's key."""
        assert read() == PAGE

    def test_members_that_are_not_known_are_passed_over(self) -> None:
        """As the format says."""
        body = changed(devices=[1])
        assert read(body, signed(body)) == PAGE

    @pytest.mark.parametrize("bad", BAD_SIGNATURES)
    def test_z74_a_signature_that_is_not_the_feeds_is_refused(self, bad: str) -> None:
        """In fixed words, which repeat nothing of it."""
        with pytest.raises(PageRefused) as caught:
            read(signature=BAD_SIGNATURES[bad]())
        assert str(caught.value).startswith("a page ")

    @pytest.mark.parametrize("bad", BAD_PAGES)
    def test_z74_a_signed_page_that_does_not_fit_is_refused(self, bad: str) -> None:
        """Signed or not: it must be of this issuer, what was asked for, and not older than what is held."""
        body = BAD_PAGES[bad]
        with pytest.raises(PageRefused):
            read(body, signed(body))

    def test_another_issuer_is_named(self) -> None:
        """Whoever set a verifier up wrongly reads whose page it was, and no more than 200 characters of that."""
        body = changed(issuer="https://" + "x" * 1_000_000)
        with pytest.raises(PageRefused, match="another issuer, 'https://x") as caught:
            read(body, signed(body))
        assert len(str(caught.value)) < 250

    @pytest.mark.parametrize("position", range(0, len(BODY), 7))
    def test_no_byte_of_the_page_can_be_changed(self, position: int) -> None:
        """Every one is under the signature."""
        body = BODY[:position] + bytes((BODY[position] ^ 1,)) + BODY[position + 1 :]
        with pytest.raises(PageRefused):
            read(body)


class TestKeysApart:
    """A key of the feed and a key of tokens are never taken for each other."""

    def test_the_feeds_key_verifies_no_access_token(self) -> None:
        """It is in another key set; and even in the same one, the page's signature is typed as something else."""
        token = FEED_KEY.sign(FEED_KEY.header(), good_claims())
        with pytest.raises(InvalidToken) as caught:
            verifier_for(KEY).verify(token)
        assert caught.value.reason == "unknown key ID"
        page_as_token = FEED_KEY.sign(FEED_KEY.header(typ="sensos-revocations"), good_claims())
        with pytest.raises(InvalidToken) as caught:
            verifier_for(FEED_KEY).verify(page_as_token)
        assert caught.value.reason == "not typed as an access token"

    def test_a_token_key_signs_no_page(self) -> None:
        """Of another algorithm, it is not even taken into the feed's key set; of the same, it is unknown there."""
        assert set(parse_jwks(jwks_of(KEY, FEED_KEY).encode(), FEED)) == {FEED_KEY.pair.kid}
        with pytest.raises(PageRefused, match="not known"):
            read(signature=signed(BODY, OTHER_KEY))
