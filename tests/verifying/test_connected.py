import asyncio
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.verifying import (
    ConnectedVerifier,
    InvalidToken,
    KeysUnavailable,
    RevocationsUnavailable,
    Verifier,
    VerifierCredentials,
)
from sensos_auth.verifying.kept_document import KeptDocument
from tests.verifying.feed_server import FeedServer, serving_feed
from tests.verifying.issued import AUDIENCE, KEY, good_claims, jwks_of


@contextmanager
def issuer() -> Iterator[FeedServer]:
    """Serve keys and feed."""
    with serving_feed() as feed:
        feed.jwks = jwks_of(KEY)
        yield feed


@contextmanager
def connected(url: str, **settings: object) -> Iterator[ConnectedVerifier]:
    """Connect a verifier, and end it after the block."""
    verifier = Verifier.connect(url, audience=AUDIENCE, **settings)  # type: ignore[arg-type]
    try:
        yield verifier
    finally:
        verifier.close()


def a_token(url: str, **claims: object) -> str:
    """Return a good token of the issuer at this URL."""
    now = int(time.time())
    return KEY.sign(KEY.header(), good_claims(**({"iss": url, "iat": now, "exp": now + 600} | claims)))


def revoked(verifier: ConnectedVerifier, token: str, seconds: float = 3.0) -> bool:
    """Tell whether the token is refused within some seconds, because it was revoked."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        try:
            verifier.verify(token)
        except InvalidToken as error:
            return error.reason == "revoked"
        time.sleep(0.005)
    return False


class TestConnect:
    """One line, and the verifier knows its issuer."""

    def test_it_verifies_and_hears_of_revocations(self) -> None:
        """Keys and feed come from the issuer's URL."""
        with issuer() as feed, connected(feed.url) as verifier:
            verifier.wait_until_ready()
            token = a_token(feed.url)
            assert verifier.verify(token).token_id
            feed.revoke(RevocationKind.TOKEN, str(good_claims()["jti"]))
            assert revoked(verifier, token)
            health = verifier.health()
            assert (health.keys.usable, health.keys.key_ids) == (True, (KEY.pair.kid,))
            assert health.revocations is not None
            assert (health.revocations.entries, health.revocations.stale) == (1, False)

    def test_an_issuer_that_calls_itself_otherwise_is_named(self) -> None:
        """Who writes localhost for 127.0.0.1, or adds a slash, is told so when the service starts."""
        with issuer() as feed, connected(f"{feed.url}/") as verifier:
            told = re.escape(f"a page of another issuer, '{feed.url}'")
            with pytest.raises(RevocationsUnavailable, match=told):
                verifier.wait_until_ready(1.0)

    @pytest.mark.parametrize("url", ["", "auth.example.com", None])
    def test_an_issuer_that_is_no_url_is_refused(self, url: Any) -> None:  # noqa: ANN401 - what is not set is None
        """At once, and by that name."""
        with pytest.raises(ConfigurationError, match="the issuer is not a URL with a host"):
            Verifier.connect(url, audience="sensos-api")

    def test_it_can_be_awaited(self) -> None:
        """Without blocking the event loop."""
        with issuer() as feed, connected(feed.url) as verifier:
            asyncio.run(verifier.ready())
            verifier.verify(a_token(feed.url))

    def test_without_the_feed_nothing_asks_for_it(self) -> None:
        """And the health says that there is none."""
        with issuer() as feed, connected(feed.url, feed=False) as verifier:
            verifier.wait_until_ready()
            verifier.verify(a_token(feed.url))
            assert feed.polls == []
            assert verifier.health().revocations is None

    def test_credentials_make_it_count(self) -> None:
        """Under its name, with the keys that it holds."""
        credentials = VerifierCredentials("ten_a", "app_b", "sensos_sk_secret")
        with issuer() as feed, connected(feed.url, credentials=credentials, name="gate-1") as verifier:
            verifier.wait_until_ready()
            feed.wait_for_polls(3)
            assert feed.polls[-1].parameters["verifier"] == "gate-1"
            assert feed.polls[-1].parameters["keys"] == KEY.pair.kid

    def test_an_issuer_that_is_away_raises_in_time(self) -> None:
        """First for want of keys; with keys, for want of the feed."""
        with connected("http://127.0.0.1:9") as verifier, pytest.raises(KeysUnavailable):
            verifier.wait_until_ready(0.1)
        with issuer() as feed, connected(feed.url) as verifier:
            feed.keys = "{}"
            with pytest.raises(RevocationsUnavailable):
                verifier.wait_until_ready(0.5)

    @pytest.mark.parametrize("settings", [{"when_stale": "never"}, {"longest_outage": -1}, {"name": "a b"}])
    def test_wrong_settings_are_refused(self, settings: dict[str, object]) -> None:
        """When it is made."""
        with pytest.raises(ConfigurationError):
            Verifier.connect("https://auth.example.com", audience="a", **settings)  # type: ignore[arg-type]

    def test_f08_an_issuer_without_tls_must_be_asked_for_by_name(self) -> None:
        """As for a JWKS."""
        with pytest.raises(ConfigurationError):
            Verifier.connect("http://auth.example.com", audience="a")
        Verifier.connect("http://auth.example.com", audience="a", allow_insecure_http=True)


class TestKeptState:
    """Z72: a restart while the issuer is away."""

    def test_z72_keys_and_revocations_survive_a_restart(self, tmp_path: Path) -> None:
        """What was good is good, what was void is void, and it starts at once."""
        folder = tmp_path / "state"
        with issuer() as feed:
            feed.revoke(RevocationKind.TOKEN, "revoked-token")
            with connected(feed.url, state_folder=folder) as verifier:
                verifier.wait_until_ready()
        assert len(list(folder.iterdir())) == 2
        url = feed.url
        began = time.monotonic()
        with connected(url, state_folder=folder) as verifier:
            verifier.wait_until_ready()
            assert time.monotonic() - began < 2
            verifier.verify(a_token(url))
            with pytest.raises(InvalidToken):
                verifier.verify(a_token(url, jti="revoked-token"))
            assert verifier.health().keys.confirmed_ago is not None

    def test_z72_what_is_kept_goes_stale_as_ever(self, tmp_path: Path) -> None:
        """The age is counted from when it was true: who refuses stale revocations does so after a restart as well."""
        folder = tmp_path / "state"
        with issuer() as feed, connected(feed.url, state_folder=folder) as verifier:
            verifier.wait_until_ready()
        with connected(feed.url, state_folder=folder, when_stale="refuse") as verifier:
            verifier.verify(a_token(feed.url))
            with pytest.raises(RevocationsUnavailable):
                verifier.wait_until_ready(0.3)
        document = KeptDocument(folder, "revocations", feed.url)
        content, _ = document.load() or (b"", 0)
        document.path.unlink()  # what is older replaces nothing
        document.save(content, ago=61)
        token = a_token(feed.url)
        with (
            connected(feed.url, state_folder=folder, when_stale="refuse") as verifier,
            pytest.raises(RevocationsUnavailable),
        ):
            verifier.verify(token)
        with connected(feed.url, state_folder=folder) as verifier:
            verifier.verify(a_token(feed.url))

    def test_z72_a_restart_goes_on_where_it_was(self, tmp_path: Path) -> None:
        """It asks for what came after the version that it kept."""
        with issuer() as feed:
            version = feed.revoke(RevocationKind.TENANT, "t")
            with connected(feed.url, state_folder=tmp_path / "state") as verifier:
                verifier.wait_until_ready()
            polls = len(feed.polls)
            with connected(feed.url, state_folder=tmp_path / "state") as verifier:
                verifier.wait_until_ready()
                assert feed.polls[polls].since == version

    def test_z72_damaged_files_are_no_files(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """It starts as if there were none, says so, and writes new ones."""
        folder = tmp_path / "state"
        with issuer() as feed:
            with connected(feed.url, state_folder=folder) as verifier:
                verifier.wait_until_ready()
            for file in folder.iterdir():
                file.write_bytes(file.read_bytes().replace(b"sensos", b"SENSOS", 1))
            caplog.set_level(logging.WARNING)
            with connected(feed.url, state_folder=folder) as verifier:
                assert caplog.text.count("it is damaged") == 2
                with pytest.raises(KeysUnavailable):
                    verifier.verify(a_token(feed.url))
                verifier.wait_until_ready()
            assert all(file.read_bytes().startswith(b"sensos") for file in folder.iterdir())

    def test_z72_files_hold_no_token_and_no_secret(self, tmp_path: Path) -> None:
        """Public keys, and digests of what is void."""
        credentials = VerifierCredentials("ten_a", "app_b", "sensos_sk_secret")
        with issuer() as feed, connected(feed.url, state_folder=tmp_path, credentials=credentials) as verifier:
            verifier.wait_until_ready()
            feed.wait_for_polls(2)
        content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert content
        assert b"sensos_sk" not in content
        assert b"own-token" not in content
