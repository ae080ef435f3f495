import asyncio
import logging
import os
import re
import subprocess
import sys
import threading
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler

import msgspec
import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.revocation import Provenance, RevocationKind
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.verifying import InvalidToken, LocalJwks, RemoteRevocations, RevocationsUnavailable, Verifier
from sensos_auth.verifying.own_token import VerifierCredentials
from tests.verifying.feed_server import FEED_KEY, FeedServer, Poll, send, send_page, serving_feed
from tests.verifying.issued import AUDIENCE, GOOD_CLAIMS, GOOD_TOKEN, ISSUER, KEY, NOW, IssuingKey, jwks_of

TOKEN, CREDENTIAL, APPLICATION, TENANT, SIGNING_KEY = RevocationKind
GOOD = Provenance(
    KEY.pair.kid, GOOD_CLAIMS.jti, GOOD_CLAIMS.tenant_id, GOOD_CLAIMS.client_id, GOOD_CLAIMS.credential_id, 0
)
CREDENTIALS = VerifierCredentials("ten_a", "app_b", "sensos_sk_secret")


@contextmanager
def following(feed: FeedServer | str, **settings: object) -> Iterator[RemoteRevocations]:
    """Follow a feed, and end that after the block."""
    url = feed if isinstance(feed, str) else feed.url
    revocations = RemoteRevocations(url, **settings)  # type: ignore[arg-type]
    try:
        yield revocations
    finally:
        revocations.close()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until the condition holds, and return how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + seconds, "it did not happen in time"
        time.sleep(0.005)
    return time.monotonic() - began


def is_heard(revocations: RemoteRevocations) -> bool:
    """Tell whether anything can be said of tokens."""
    try:
        revocations.generation()
    except RevocationsUnavailable:
        return False
    return True


class Clock:
    """A clock that a test can move on top of the real one."""

    def __init__(self, base: Callable[[], float] = time.monotonic) -> None:
        self._base = base
        self.ahead = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self._base() + self.ahead


class TestFollowing:
    """The usual case."""

    @pytest.mark.parametrize("kind", RevocationKind)
    def test_what_is_revoked_is_void_in_a_moment(self, kind: RevocationKind) -> None:
        """A poll waits at the server, which answers as soon as there is news."""
        subject = dict(zip((SIGNING_KEY, TOKEN, TENANT, APPLICATION, CREDENTIAL), GOOD[:5], strict=True))[kind]
        with serving_feed() as feed, following(feed) as revocations:
            revocations.wait_until_ready()
            generation = revocations.generation()
            assert not revocations.voids(GOOD)
            feed.wait_for_polls(2)
            feed.revoke(kind, subject)
            assert eventually(lambda: revocations.voids(GOOD)) < 0.5
            assert revocations.generation() > generation

    def test_d24_a_verdict_that_is_remembered_is_refused(self) -> None:
        """The verifier asks again as soon as the generation changes."""
        with serving_feed() as feed, following(feed) as revocations:
            keys = LocalJwks(jwks_of(KEY))
            verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, revocations=revocations, clock=lambda: NOW)
            revocations.wait_until_ready()
            for _ in range(3):
                verifier.verify(GOOD_TOKEN)
            feed.revoke(TOKEN, GOOD.token_id)
            eventually(lambda: revocations.health().entries == 1)
            with pytest.raises(InvalidToken) as caught:
                verifier.verify(GOOD_TOKEN)
            assert caught.value.reason == "revoked"

    def test_nothing_is_asked_before_first_use(self) -> None:
        """So that a server may fork after it was made."""
        with serving_feed() as feed, following(feed):
            before = threading.active_count()
            time.sleep(0.1)
            assert (feed.polls, threading.active_count()) == ([], before)

    def test_all_pages_are_read_before_it_is_ready(self) -> None:
        """Further pages are asked for at once, each after the version of the one before."""
        with serving_feed() as feed, following(feed) as revocations:
            for number in range(25):
                feed.revoke(TOKEN, f"token-{number}")
            feed.page_limit = 10
            began = time.monotonic()
            revocations.wait_until_ready()
            assert revocations.health().entries == 25
            assert [poll.since for poll in feed.polls[:3]] == [0, 11, 21]
            assert time.monotonic() - began < 1

    def test_the_next_poll_tells_what_is_held(self) -> None:
        """That is how the issuer knows that a revocation has arrived."""
        with serving_feed() as feed, following(feed) as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            version = feed.revoke(TENANT, "t")
            feed.wait_for_polls(3)
            assert feed.polls[2].since == version
            assert feed.polls[2].at - feed.polls[1].at < 1

    def test_a_poll_shows_nothing_without_credentials(self) -> None:
        """Neither a token nor a name."""
        with serving_feed() as feed, following(feed, name="me") as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            assert feed.polls[1].parameters == {"since": "1", "wait": "10"}
            assert "authorization" not in feed.polls[1].headers
            assert revocations.health().counted_as is None

    def test_an_empty_answer_that_comes_early_does_not_make_it_spin(self) -> None:
        """A server that can't let it wait is asked once a second."""
        with serving_feed() as feed, following(feed) as revocations:
            feed.answer = lambda handler, poll: send_page(handler, feed.page(poll.since))
            revocations.wait_until_ready()
            time.sleep(1.2)
            assert 2 <= len(feed.polls) <= 4

    def test_a_page_that_promises_more_and_brings_nothing_does_not_make_it_spin(self) -> None:
        """Nor does it count as a complete catch-up."""
        with serving_feed() as feed, following(feed) as revocations:
            feed.answer = lambda handler, poll: send_page(handler, feed.page(poll.since, version=poll.since, more=True))
            with pytest.raises(RevocationsUnavailable):
                revocations.wait_until_ready(1.5)
            assert len(feed.polls) <= 3

    def test_a_revoked_key_has_the_keys_fetched_anew(self) -> None:
        """Its entry voids its tokens at once; the key set follows."""

        class Keys:
            asked = 0

            def refresh_soon(self) -> None:
                self.asked += 1

        keys = Keys()
        with serving_feed() as feed, following(feed, keys=keys) as revocations:
            revocations.wait_until_ready()
            feed.revoke(TENANT, "t")
            eventually(lambda: revocations.health().entries == 1)
            assert keys.asked == 0
            feed.revoke(SIGNING_KEY, "k")
            eventually(lambda: keys.asked == 1)

    def test_waiting_in_an_event_loop_does_not_block_it(self) -> None:
        """While the feed is being read, other tasks run."""

        async def wait(revocations: RemoteRevocations) -> int:
            ticks = 0
            waiting = asyncio.ensure_future(revocations.ready())
            while not waiting.done():
                await asyncio.sleep(0.01)
                ticks += 1
            await waiting
            return ticks

        def answer_late(handler: BaseHTTPRequestHandler, poll: Poll) -> None:
            time.sleep(0.1)
            send_page(handler, feed.page(poll.since))

        with serving_feed() as feed, following(feed) as revocations:
            feed.answer = answer_late
            assert asyncio.run(wait(revocations)) >= 5


OTHER_KEY = IssuingKey("EdDSA")


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" " * 65536)
    handler.close_connection = True


def _cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"{")
    handler.close_connection = True


def _encoded(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"\x1f\x8b", Content_Encoding="gzip", Sensos_Signature="a..b")


def _wrong_digest(page: RevocationPage) -> RevocationPage:
    return msgspec.structs.replace(page, tenants=[(b"short", 9, 1 << 31), (b"x" * 16, 9, 1 << 31)])


Bad = Callable[[BaseHTTPRequestHandler, RevocationPage], None]
BAD: dict[str, Bad] = {
    "no signature": lambda handler, page: send(handler, msgspec.json.encode(page)),
    "signed with another key": lambda handler, page: send_page(handler, page, key=OTHER_KEY),
    "a lower version": lambda handler, page: send_page(handler, msgspec.structs.replace(page, version=1)),
    "a digest of the wrong length": lambda handler, page: send_page(handler, _wrong_digest(page)),
    "HTML": lambda handler, _: send(handler, b"<html>maintenance</html>", Content_Type="text/html"),
    "garbage": lambda handler, _: send(handler, b"\0\xff garbage"),
    "13 MB": lambda handler, _: _endless(handler),
    "cut": lambda handler, _: _cut(handler),
    "encoded": lambda handler, _: _encoded(handler),
    "503": lambda handler, _: send(handler, b"", 503),
    "redirect": lambda handler, _: send(handler, b"", 302, Location="http://127.0.0.1:1/"),
    "304": lambda handler, _: send(handler, b"", 304),
}


class TestRefusing:
    """Whatever else comes is no page."""

    @pytest.mark.parametrize("bad", BAD)
    def test_z74_an_answer_that_does_not_fit_changes_nothing(self, bad: str, caplog: pytest.LogCaptureFixture) -> None:
        """It is a failed poll, in health and log, and what is void stays void."""
        with serving_feed() as feed, following(feed) as revocations:
            feed.revoke(TENANT, GOOD.tenant_id)
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            before, generation = revocations.health(), revocations.generation()
            feed.answer = lambda handler, poll: BAD[bad](handler, feed.page(poll.since))
            feed.version += 1
            feed.wake()  # so that the poll that waits is answered, and the next one comes
            eventually(lambda: "could not follow" in caplog.text)
            health = revocations.health()
            assert health.failing_for is not None
            assert revocations.voids(GOOD)
            assert revocations.generation() == generation
            assert (health.entries, health.stale, health.version) == (before.entries, False, feed.version)
            (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
            assert "http://127.0.0.1" in warning
            assert "maintenance" not in warning

    def test_z74_a_failure_is_logged_once_and_the_feed_goes_on(self, caplog: pytest.LogCaptureFixture) -> None:
        """However many polls fail the same way; then the next page is what followed the last good one."""
        caplog.set_level(logging.INFO)
        with serving_feed() as feed, following(feed) as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            feed.answer = lambda handler, poll: send_page(handler, feed.page(poll.since), key=OTHER_KEY)
            held = feed.revoke(TOKEN, "a")
            feed.wait_for_polls(5)
            assert caplog.text.count("could not follow") == 1
            feed.revoke(TOKEN, "b")
            feed.answer = None
            eventually(lambda: revocations.health().last_error is None)
            assert revocations.health().entries == 2
            assert feed.polls[-2].since == held
            assert caplog.text.count("answers again") == 1

    @pytest.mark.slow
    @pytest.mark.waits
    def test_keys_of_the_feed_that_come_later_are_fetched_later(self) -> None:
        """As long as there are none, nothing can be gone by."""
        with serving_feed() as feed, following(feed) as revocations:
            feed.keys = '{"keys": []}'
            with pytest.raises(RevocationsUnavailable):
                revocations.wait_until_ready(1.2)
            feed.keys = jwks_of(FEED_KEY)
            revocations.wait_until_ready()


class TestStaleness:
    """What happens when the feed is silent."""

    def test_z73_stale_revocations_refuse_if_told_so(self) -> None:
        """Before the first page, and from max_staleness after the last; and no more when it is heard again."""
        clock = Clock()
        with serving_feed() as feed, following(feed, when_stale="refuse", clock=clock) as revocations:
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            revocations.wait_until_ready()
            revocations.generation()
            feed.answer = lambda handler, _: send(handler, b"", 503)
            clock.ahead = 59
            revocations.generation()
            clock.ahead = 62
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            assert revocations.health().stale
            feed.revoke(TOKEN, "t")  # the poll that waits is answered 200, and the feed confirmed as of when it began
            feed.answer = None
            eventually(lambda: not revocations.health().stale)
            revocations.generation()

    def test_z73_nothing_is_accepted_before_the_feed_was_heard(self) -> None:
        """Who has just begun knows nothing of a revocation of long ago: 503 for ten seconds, then it accepts."""
        clock = Clock()
        with serving_feed() as feed, following(feed, clock=clock) as revocations:
            feed.answer = lambda handler, _: send(handler, b"", 503)
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            clock.ahead = 9
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            clock.ahead = 11
            assert revocations.generation() == 0
            feed.answer = None
            feed.revoke(TOKEN, GOOD.token_id)
            revocations.wait_until_ready()
            assert revocations.voids(GOOD)

    def test_z73_stale_revocations_are_reported_once_and_accepted_by_default(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A warning for each episode, and what is known stays void."""
        clock = Clock()
        with serving_feed() as feed, following(feed, clock=clock, max_staleness=5) as revocations:
            caplog.set_level(logging.INFO)
            feed.revoke(TENANT, GOOD.tenant_id)
            revocations.wait_until_ready()
            feed.answer = lambda handler, _: send(handler, b"", 503)
            for _ in range(2):
                clock.ahead += 6
                eventually(lambda: "not been confirmed" in caplog.text)
            feed.wait_for_polls(len(feed.polls) + 1)
            assert caplog.text.count("not been confirmed") == 1
            assert revocations.generation() > 0
            assert revocations.voids(GOOD)
            feed.answer = None
            eventually(lambda: "up to date again" in caplog.text)

    def test_z74_a_page_of_long_ago_does_not_count_as_fresh(self) -> None:
        """A proxy that replays the last page confirms nothing beyond the page's own time."""
        clock = Clock()
        with serving_feed() as feed, following(feed, clock=clock, when_stale="refuse") as revocations:
            made_at = time.time()
            feed.answer = lambda handler, poll: send_page(
                handler, feed.page(poll.since, as_of=int(made_at - clock.ahead))
            )
            revocations.wait_until_ready()
            clock.ahead = 300.0
            feed.wait_for_polls(len(feed.polls) + 2)
            assert revocations.health().last_error is None
            confirmed_ago = revocations.health().confirmed_ago
            assert confirmed_ago is not None
            assert confirmed_ago > 290
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()

    @pytest.mark.parametrize("step", [-86_400.0, -40.0, -10.0, 10.0])
    def test_z53_steps_of_the_wall_clock_are_no_matter(self, step: float) -> None:
        """Back by any time, or ahead by less than 30 s: the feed stays confirmed and nothing is un-revoked."""
        wall = Clock(time.time)
        with serving_feed() as feed, following(feed, now=wall, max_staleness=5, when_stale="refuse") as revocations:
            feed.revoke(TENANT, GOOD.tenant_id)
            revocations.wait_until_ready()
            wall.ahead = step
            feed.wait_for_polls(len(feed.polls) + 1)
            feed.revoke(TOKEN, "t")
            eventually(lambda: revocations.health().entries == 2)
            assert revocations.voids(GOOD)
            assert revocations.generation()
            assert not revocations.health().stale

    def test_z53_a_wall_clock_an_hour_ahead_makes_stale_and_never_fresh(self) -> None:
        """Pages look an hour old then. That is told, and heals with the clock."""
        wall, clock = Clock(time.time), Clock()
        with serving_feed() as feed, following(feed, now=wall, clock=clock, when_stale="refuse") as revocations:
            revocations.wait_until_ready()
            wall.ahead = 3600
            clock.ahead = 61
            feed.revoke(TOKEN, "t")
            feed.wait_for_polls(4)
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            assert revocations.health().entries == 1
            wall.ahead = 0
            eventually(lambda: not revocations.health().stale)
            revocations.generation()

    def test_z57_sleep_of_the_machine_counts(self) -> None:
        """By a clock that goes on meanwhile: the first request after it is refused where stale ones are."""
        clock = Clock()
        with serving_feed() as feed, following(feed, clock=clock, when_stale="refuse") as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            clock.ahead = 3600
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            feed.revoke(TOKEN, "t")  # the poll that waits began before the sleep, so it takes the next one
            assert eventually(lambda: not revocations.health().stale) < 1

    def test_waiting_has_an_end(self) -> None:
        """wait_until_ready raises when the time is over."""
        with following("http://127.0.0.1:9") as revocations, pytest.raises(RevocationsUnavailable):
            revocations.wait_until_ready(0.05)

    @pytest.mark.slow
    def test_asking_for_the_generation_costs_next_to_nothing(self) -> None:
        """It is asked at every request: 0.15 µs where stale ones are accepted, one look at the clock more otherwise."""
        with serving_feed() as feed:
            for when_stale, most in (("accept", 0.15e-6), ("refuse", 0.5e-6)):
                with following(feed, when_stale=when_stale) as revocations:
                    revocations.wait_until_ready()
                    assert min(timeit.repeat(revocations.generation, number=20_000, repeat=20)) / 20_000 < most


class TestComingBack:
    """After the server was away."""

    def test_z73_a_restarted_server_is_followed_again_within_a_second_or_so(self) -> None:
        """The poll that waited is cut, the server is away for a second; and nothing is un-revoked."""
        with serving_feed() as feed:
            feed.revoke(TENANT, GOOD.tenant_id)
            version, entries, port = feed.version, feed.entries, int(feed.url.rpartition(":")[2])
            revocations = RemoteRevocations(feed.url)
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
        time.sleep(1)
        assert revocations.voids(GOOD)
        try:
            with serving_feed(port) as feed:
                feed.version, feed.entries = version, entries
                began = time.monotonic()
                feed.revoke(TOKEN, "t")
                eventually(lambda: revocations.health().entries == 2)
                assert time.monotonic() - began < 1.8
                feed.wait_for_polls(2)
                assert feed.polls[0].parameters == {"since": str(version), "wait": "0"}
                assert feed.polls[1].parameters["wait"] == "10"
        finally:
            revocations.close()

    def test_attempts_become_rarer(self) -> None:
        """After 0.5, 1, 2 … seconds, less by chance."""
        with serving_feed() as feed, following(feed) as revocations:
            feed.answer = lambda handler, _: send(handler, b"", 503)
            with pytest.raises(RevocationsUnavailable):
                revocations.generation()
            time.sleep(2)
            assert 3 <= len(feed.polls) <= 4


class TestOwnToken:
    """Polls that count."""

    def test_a_poll_shows_the_token_and_tells_name_and_keys(self) -> None:
        """As soon as the state is complete; and the health says under which name."""

        class Keys:
            def health(self) -> object:
                class Health:
                    key_ids = ("k1", "k2")

                return Health

        with serving_feed() as feed:
            with following(feed, credentials=CREDENTIALS, name="me:1", keys=Keys()) as revocations:
                revocations.wait_until_ready()
                eventually(lambda: revocations.health().counted_as == "me:1")
                counted = next(poll for poll in feed.polls if "authorization" in poll.headers)
                assert counted.headers["authorization"] == "Bearer own-token"
                assert counted.parameters == {"since": "1", "wait": "0", "verifier": "me:1", "keys": "k1,k2"}
            assert feed.token_requests == [
                {"tenantId": "ten_a", "applicationId": "app_b", "applicationSecret": "sensos_sk_secret"}
            ]

    def test_the_name_is_host_and_process_by_default(self) -> None:
        """Made of the characters that a name may have."""
        with serving_feed() as feed, following(feed, credentials=CREDENTIALS) as revocations:
            revocations.wait_until_ready()
            eventually(lambda: revocations.health().counted_as is not None)
            name = revocations.health().counted_as or ""
            assert re.fullmatch(rf"[A-Za-z0-9._:-]{{1,64}}-{os.getpid()}", name)

    def test_n12_a_forked_worker_does_not_speak_for_its_siblings(self) -> None:
        """A name that was given before the fork would be that of all workers: the last poll would count for each."""
        with serving_feed() as feed, following(feed, credentials=CREDENTIALS, name="gate") as revocations:
            revocations.wait_until_ready()
            eventually(lambda: revocations.health().counted_as == "gate")
            child = os.fork()
            if child == 0:
                try:
                    eventually(lambda: revocations.health().counted_as == f"gate-{os.getpid()}")
                    os._exit(0)
                finally:
                    os._exit(1)
            assert os.waitpid(child, 0)[1] == 0
            assert {f"gate-{child}", "gate"} <= {poll.parameters.get("verifier") for poll in feed.polls}

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_token_that_the_feed_does_not_take_is_not_shown_again(
        self, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The feed is followed without it, and health and log say so, without the token."""
        with serving_feed() as feed, following(feed, credentials=CREDENTIALS) as revocations:

            def answer(handler: BaseHTTPRequestHandler, poll: Poll) -> None:
                if "authorization" in poll.headers:
                    send(handler, b"{}", status)
                else:
                    send_page(handler, feed.page(poll.since))

            feed.answer = answer
            revocations.wait_until_ready()
            eventually(lambda: revocations.health().not_counted_because is not None)
            feed.wait_for_polls(len(feed.polls) + 2)
            assert sum("authorization" in poll.headers for poll in feed.polls) == 1
            health = revocations.health()
            assert (health.counted_as, health.last_error) == (None, None)
            assert str(status) in (health.not_counted_because or "")
            assert "own-token" not in caplog.text + str(health)

    @pytest.mark.parametrize(
        "answer",
        [
            (401, b'{"error":"Unauthorized"}'),
            (503, b""),
            (200, b"<html>"),
            (200, b'{"accessToken": "a b", "expiresIn": 9}'),
            (200, b'{"accessToken": "a", "expiresIn": -9}'),
            (200, b'{"accessToken": "a"}'),
            (302, b""),
        ],
    )
    def test_without_a_token_the_feed_is_followed_uncounted(
        self, answer: tuple[int, bytes], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever the token service answers; and the secret is nowhere."""
        with serving_feed() as feed, following(feed, credentials=CREDENTIALS) as revocations:
            feed.token_answer = answer
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            feed.revoke(TENANT, GOOD.tenant_id)
            eventually(lambda: revocations.voids(GOOD))
            assert revocations.health().not_counted_because
            assert revocations.health().last_error is None
            assert "sensos_sk" not in caplog.text + repr(revocations.health()) + repr(CREDENTIALS)

    def test_a_secret_that_cannot_be_read_is_reported(self) -> None:
        """By the name of the exception alone: nobody knows what is in its text."""

        def vault() -> str:
            raise RuntimeError("sensos_sk_secret")

        with serving_feed() as feed:
            credentials = VerifierCredentials("t", "a", vault)
            with following(feed, credentials=credentials) as revocations:
                revocations.wait_until_ready()
                eventually(lambda: revocations.health().not_counted_because == "RuntimeError")

    def test_a_vault_that_takes_its_time_holds_nothing_up(self) -> None:
        """The secret is asked for in a thread of its own."""
        answered = threading.Event()

        def vault() -> str:
            answered.wait(10)
            return "sensos_sk_secret"

        credentials = VerifierCredentials("t", "a", vault)
        with serving_feed() as feed, following(feed, credentials=credentials) as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)  # after a second, without a token
            feed.revoke(TENANT, GOOD.tenant_id)
            assert eventually(lambda: revocations.voids(GOOD)) < 0.5
            answered.set()

    def test_a_token_that_is_never_taken_is_logged_once(self, caplog: pytest.LogCaptureFixture) -> None:
        """Though a new one is tried each minute; and health forgets it only when one is taken."""
        clock = Clock()
        with serving_feed() as feed, following(feed, credentials=CREDENTIALS, clock=clock) as revocations:

            def answer(handler: BaseHTTPRequestHandler, poll: Poll) -> None:
                if "authorization" in poll.headers:
                    send(handler, b"{}", 403)
                else:
                    send_page(handler, feed.page(poll.since))

            def has_been_refused(times: int) -> bool:
                showing = [poll for poll in feed.polls if "authorization" in poll.headers]
                return len(showing) == times and feed.polls[-1] not in showing

            feed.answer = answer
            revocations.wait_until_ready()
            eventually(lambda: has_been_refused(1))
            clock.ahead += 61
            eventually(lambda: has_been_refused(2))
            assert caplog.text.count("status 403") == 1
            assert revocations.health().not_counted_because is not None
            feed.answer = None
            clock.ahead += 61
            feed.revoke(TOKEN, "t")
            eventually(lambda: revocations.health().counted_as is not None)
            assert revocations.health().not_counted_because is None

    def test_the_token_is_renewed_before_it_ends(self) -> None:
        """After three quarters of its life, by a clock that goes on in sleep."""
        clock = Clock()
        with serving_feed() as feed, following(feed, credentials=CREDENTIALS, clock=clock) as revocations:
            feed.token_answer = 200, b'{"accessToken":"first","expiresIn":1000}'
            revocations.wait_until_ready()
            eventually(lambda: revocations.health().counted_as is not None)
            feed.token_answer = 200, b'{"accessToken":"second","expiresIn":1000}'
            clock.ahead = 745
            for step in (0, 10):
                clock.ahead += step
                polls = len(feed.polls)
                feed.revoke(TOKEN, f"t{step}")
                feed.wait_for_polls(polls + 1)
                assert feed.polls[-1].headers["authorization"] == "Bearer first"
            polls = len(feed.polls)
            eventually(lambda: len(feed.token_requests) == 2)
            time.sleep(0.1)
            feed.revoke(TOKEN, "t")
            feed.wait_for_polls(polls + 1)
            assert feed.polls[-1].headers["authorization"] == "Bearer second"


class TestProcesses:
    """Threads and forks."""

    def test_a_forked_process_follows_for_itself(self) -> None:
        """The parent's thread does not come along; the child starts its own, and asks all again."""
        with serving_feed() as feed, following(feed) as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            generation = revocations.generation()
            receiving, sending = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    revocations.wait_until_ready()
                    assert revocations.generation() > generation
                    os.write(sending, b"1")
                    eventually(lambda: revocations.voids(GOOD))
                    os.write(sending, b"2")
                finally:
                    os._exit(0)
            os.close(sending)
            try:
                assert os.read(receiving, 1) == b"1"
                feed.revoke(TENANT, GOOD.tenant_id)
                assert os.read(receiving, 1) == b"2"
            finally:
                os.close(receiving)
                os.waitpid(child, 0)
            assert eventually(lambda: revocations.voids(GOOD)) < 1

    @pytest.mark.parametrize("when_stale", ["accept", "refuse"])
    def test_a_forked_process_says_nothing_of_what_its_parent_knew(self, when_stale: str) -> None:
        """However long it was idle: what was revoked meanwhile is void at its first word."""
        with serving_feed() as feed, following(feed, when_stale=when_stale) as revocations:
            revocations.wait_until_ready()
            feed.wait_for_polls(2)
            released = threading.Event()

            def hold_back(handler: BaseHTTPRequestHandler, poll: Poll) -> None:
                released.wait(5)
                send_page(handler, feed.page(poll.since))

            feed.answer = hold_back
            receiving, sending = os.pipe()
            child = os.fork()
            if child == 0:
                try:
                    with pytest.raises(RevocationsUnavailable):
                        revocations.generation()
                    os.write(sending, b"1")
                    eventually(lambda: is_heard(revocations))
                    os.write(sending, b"2" if revocations.voids(GOOD) else b"accepted")
                finally:
                    os._exit(0)
            os.close(sending)
            try:
                assert os.read(receiving, 1) == b"1"
                feed.revoke(TENANT, GOOD.tenant_id)
                released.set()
                assert os.read(receiving, 9) == b"2"
            finally:
                os.close(receiving)
                os.waitpid(child, 0)

    def test_z70_a_thread_that_cannot_even_begin_says_so_and_tries_again(self) -> None:
        """Without a file descriptor there is no event loop to poll in: a failure like others, and no silent end."""
        program = (
            "import resource, sys\n"
            "from sensos_auth.verifying import RemoteRevocations, RevocationsUnavailable\n"
            "_, most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
            "revocations = RemoteRevocations(sys.argv[1])\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (3, most))\n"
            "try:\n"
            "    revocations.wait_until_ready(1.5)\n"
            "except RevocationsUnavailable:\n"
            "    failing = revocations.health().failing_for is not None\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\n"
            "revocations.wait_until_ready(8)\n"
            "print(failing, revocations.health().last_error)\n"
        )
        with serving_feed() as feed:
            ran = subprocess.run(
                [sys.executable, "-c", program, feed.url], capture_output=True, text=True, timeout=20, check=False
            )
        assert (ran.stdout, ran.returncode) == ("True None\n", 0), ran.stderr

    def test_closed_ones_ask_no_more(self) -> None:
        """And keep what they know."""
        with serving_feed() as feed, following(feed) as revocations:
            feed.revoke(TENANT, GOOD.tenant_id)
            revocations.wait_until_ready()
            began = time.monotonic()
            revocations.close()
            assert time.monotonic() - began < 1
            polls = len(feed.polls)
            feed.revoke(TOKEN, "t")
            time.sleep(0.1)
            assert len(feed.polls) == polls
            assert revocations.voids(GOOD)
            revocations.close()

    def test_the_thread_does_not_keep_the_process_alive(self) -> None:
        """A program that forgets to close it ends all the same, at once and without a word."""
        with serving_feed() as feed:
            program = f"""
from sensos_auth.verifying import RemoteRevocations
revocations = RemoteRevocations({feed.url!r})
revocations.wait_until_ready()
"""
            began = time.monotonic()
            done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=20, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
            assert time.monotonic() - began < 5

    def test_many_first_uses_are_one_thread(self) -> None:
        """However many threads ask at once."""
        with serving_feed() as feed, following(feed) as revocations:

            def ask() -> None:
                with suppress(RevocationsUnavailable):  # not heard yet
                    revocations.generation()

            threads = [threading.Thread(target=ask) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            revocations.wait_until_ready()
            assert [thread.name for thread in threading.enumerate()].count("sensos-auth-revocations") == 1


class TestSettings:
    """What can be told, and what can't."""

    @pytest.mark.parametrize(
        "settings",
        [
            {"max_staleness": 4.9},
            {"max_staleness": float("inf")},
            {"max_staleness": float("nan")},
            {"when_stale": "ignore"},
            {"name": ""},
            {"name": "a b"},
            {"name": "a" * 65},
            {"name": "a&keys=b"},
        ],
    )
    def test_wrong_settings_are_refused(self, settings: dict[str, object]) -> None:
        """With ConfigurationError, when it is made."""
        with pytest.raises(ConfigurationError):
            RemoteRevocations("https://auth.example.com", **settings)  # type: ignore[arg-type]

    @pytest.mark.parametrize("url", ["http://auth.example.com", "https://u:p@auth.example.com", "auth", "ftp://a", ""])
    def test_f08_urls_that_are_not_safe_are_refused(self, url: str) -> None:
        """As those of a JWKS."""
        with pytest.raises(ConfigurationError):
            RemoteRevocations(url)
        if url == "http://auth.example.com":
            RemoteRevocations(url, allow_insecure_http=True)
