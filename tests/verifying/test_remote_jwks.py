import asyncio
import gc
import json
import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from sensos_auth.issuing.minting import base64url
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.verifying import ForeignIssuer, InvalidToken, KeysUnavailable, RemoteJwks, Verifier
from sensos_auth.verifying.fetching import Fetched, FetchFailed
from tests.verifying.foreign import ForeignKey
from tests.verifying.foreign import jwks_of as foreign_jwks_of
from tests.verifying.issued import AUDIENCE, GOOD_TOKEN, ISSUER, KEY, NOW, IssuingKey, good_claims, jwks_of
from tests.verifying.jwks_server import Answer, document, serving

KID = KEY.pair.kid
NEXT = IssuingKey()
URL = "https://auth.example.com/.well-known/jwks.json"


@contextmanager
def remote(url: str, **settings: object) -> Iterator[RemoteJwks]:
    """Make a RemoteJwks and end its thread after the block."""
    keys = RemoteJwks(url, **settings)  # type: ignore[arg-type]
    try:
        yield keys
    finally:
        keys.close()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@dataclass
class Issuer:
    """A clock and a fetch function for a RemoteJwks, both in the test's hand."""

    now: float = 1000.0
    jwks: str | Exception = field(default_factory=lambda: jwks_of(KEY))
    fetches: list[float] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def fetch(self, url: str) -> Fetched:
        """Answer with the JWK set, or fail; while ``answers`` is cleared, take time over it."""
        assert url == URL
        self.fetches.append(self.now)
        self.answers.wait(5)
        if isinstance(self.jwks, Exception):
            raise self.jwks
        return Fetched(self.jwks.encode(), 300)

    @contextmanager
    def keys(self) -> Iterator[RemoteJwks]:
        """Make a RemoteJwks that fetches from here."""
        with remote(URL, clock=self.clock, fetch=self.fetch) as keys:
            yield keys

    def pass_time(self, keys: RemoteJwks, seconds: float) -> None:
        """Move the clock, and let the thread notice."""
        self.now += seconds
        keys._wake.set()


def test_keys_come_from_a_real_server() -> None:
    """A verifier with a remote JWKS verifies a token of the issuer, with one request for any number of tokens."""
    with serving(document(jwks_of(KEY), Cache_Control="max-age=300")) as server, remote(server.url) as keys:
        keys.wait_until_ready()
        verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
        for _ in range(100):
            assert verifier.verify(GOOD_TOKEN).token_id
        assert server.paths == ["/jwks.json"]


def test_nothing_is_fetched_before_first_use() -> None:
    """Making one neither fetches nor starts a thread, so that a server may fork after it."""
    issuer = Issuer()
    before = set(threading.enumerate())
    with issuer.keys():
        time.sleep(0.05)
        assert issuer.fetches == []
        assert set(threading.enumerate()) <= before  # threads of tests before this one may end meanwhile


def test_first_use_does_not_wait() -> None:
    """Before the first answer a verification is KeysUnavailable at once, and a moment later it works."""
    issuer = Issuer()
    issuer.answers.clear()
    with issuer.keys() as keys:
        started = time.perf_counter()
        with pytest.raises(KeysUnavailable):
            keys.find(KID)
        assert time.perf_counter() - started < 0.5
        issuer.answers.set()
        keys.wait_until_ready()
        assert keys.find(KID) is not None


def test_waiting_has_an_end() -> None:
    """wait_until_ready raises KeysUnavailable when the time is over, and says what was in the way."""
    with Issuer(jwks=FetchFailed("down")).keys() as keys, pytest.raises(KeysUnavailable, match=r"0\.05 s: down"):
        keys.wait_until_ready(0.05)


def test_waiting_in_an_event_loop_does_not_block_it() -> None:
    """While ready() waits, other tasks of the loop run."""
    issuer = Issuer()
    issuer.answers.clear()

    async def run(keys: RemoteJwks) -> None:
        waiting = asyncio.create_task(keys.ready(5))
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert not waiting.done()
        issuer.answers.set()
        await waiting
        assert keys.find(KID) is not None

    with issuer.keys() as keys:
        asyncio.run(run(keys))


def test_keys_are_fetched_again_before_max_age_ends() -> None:
    """After four fifths of max-age the set is fetched again, in the background, without any request for it."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        issuer.jwks = jwks_of(KEY, NEXT)
        issuer.pass_time(keys, 239)
        time.sleep(0.05)
        assert issuer.fetches == [1000.0]
        issuer.pass_time(keys, 1)
        eventually(lambda: keys._held.find(NEXT.pair.kid, issuer.now) is not None)
        assert issuer.fetches == [1000.0, 1240.0]


def test_f05_new_key_is_accepted_within_the_cooldown() -> None:
    """A key that the issuer did not publish in advance is known 30 s after the last fetch at the latest."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        issuer.jwks = jwks_of(KEY, NEXT)
        issuer.now += 5
        assert keys.find(NEXT.pair.kid) is None
        issuer.pass_time(keys, 25)
        eventually(lambda: keys.find(NEXT.pair.kid) is not None)
        assert issuer.fetches == [1000.0, 1030.0]


def test_removed_key_is_not_found_any_more() -> None:
    """A key that the issuer has taken out of its set is forgotten with the next fetch."""
    issuer = Issuer(jwks=jwks_of(KEY, NEXT))
    with issuer.keys() as keys:
        keys.wait_until_ready()
        assert keys.find(KID) is not None
        issuer.jwks = jwks_of(NEXT)
        issuer.pass_time(keys, 240)
        eventually(lambda: keys.find(KID) is None)
        assert keys.find(NEXT.pair.kid) is not None


def test_f04_flood_of_unknown_key_ids_is_one_fetch() -> None:
    """100 000 tokens under invented key IDs, from four threads, cause one fetch; good tokens never notice."""
    with serving(document(jwks_of(KEY))) as server:
        start = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
        offset = [0.0]

        def clock() -> float:
            return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) - start + offset[0]

        with remote(server.url, clock=clock) as keys:
            keys.wait_until_ready()
            offset[0] = 31.0  # the cooldown of the first fetch is over
            lost = set()

            def flood(name: str) -> None:
                for n in range(25_000):
                    if keys.find(f"{name}-{n}") is not None or (n % 100 == 0 and keys.find(KID) is None):
                        lost.add(n)

            threads = [threading.Thread(target=flood, args=(str(n),)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            eventually(lambda: len(server.paths) == 2)
            time.sleep(0.1)
            assert lost == set()
            assert len(server.paths) == 2


def test_f04_ten_thousand_tokens_under_invented_key_ids_are_one_fetch_in_each_cooldown() -> None:
    """Through a verifier, over three cooldowns: one fetch each. Good tokens never notice."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
        signature = GOOD_TOKEN.rpartition(".")[2]
        claims = GOOD_TOKEN.split(".")[1]
        for _ in range(3):
            issuer.pass_time(keys, 31)
            for n in range(3334):
                header = json.dumps(KEY.header(kid=f"{random.getrandbits(128):x}")).encode()
                with pytest.raises(InvalidToken):
                    verifier.verify(f"{base64url(header).decode()}.{claims}.{signature}")
                if n % 100 == 0:
                    assert verifier.verify(GOOD_TOKEN).token_id
            eventually(lambda: issuer.fetches[-1] == issuer.now)
        time.sleep(0.05)
        assert issuer.fetches == [1000.0, 1031.0, 1062.0, 1093.0]


def test_refresh_can_be_asked_for() -> None:
    """Whoever hears that a key was revoked has the set fetched once: now, or when the cooldown is over."""
    issuer = Issuer(jwks=jwks_of(KEY, NEXT))
    with issuer.keys() as keys:
        keys.wait_until_ready()
        issuer.jwks = jwks_of(NEXT)
        issuer.now += 10
        for _ in range(100):
            keys.refresh_soon()
        time.sleep(0.05)
        assert issuer.fetches == [1000.0]
        issuer.pass_time(keys, 20)
        eventually(lambda: keys.find(KID) is None)
        issuer.now += 31
        for _ in range(100):
            keys.refresh_soon()
        eventually(lambda: len(issuer.fetches) == 3)
        assert issuer.fetches == [1000.0, 1030.0, 1061.0]


def test_refresh_that_is_asked_for_starts_the_thread() -> None:
    """It works on one that was never used."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.refresh_soon()
        keys.wait_until_ready()
        assert issuer.fetches == [1000.0]


def test_z70_health_tells_of_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """The report names the key IDs, how old they are, and in a few words what is wrong: never the exception's text."""
    issuer = Issuer()
    with issuer.keys() as keys:
        assert not keys.health().usable
        keys.wait_until_ready()
        assert (keys.health().usable, keys.health().key_ids) == (True, (KID,))
        issuer.jwks = RuntimeError("secret text")
        issuer.pass_time(keys, 240)
        eventually(lambda: keys.health().last_error is not None)
        issuer.now += 5
        health = keys.health()
        assert (health.usable, health.confirmed_ago, health.failing_for) == (True, 245.0, 5.0)
        assert health.last_error == "RuntimeError"
        assert "secret" not in caplog.text + repr(health)
        issuer.jwks = jwks_of(KEY)
        issuer.pass_time(keys, 30)
        eventually(lambda: keys.health().last_error is None)
        assert keys.health().failing_for is None


def test_foreign_keys_are_taken_with_their_profile() -> None:
    """A remote JWKS reads keys as its profile says."""
    foreign = ForeignKey("ES384", kid="a+b/c=")
    issuer = Issuer(jwks=foreign_jwks_of(foreign))
    profile = ForeignIssuer(algorithms={"ES384"})
    with remote(URL, clock=issuer.clock, fetch=issuer.fetch, profile=profile) as keys:
        keys.wait_until_ready()
        assert keys.find("a+b/c=") is not None
    with issuer.keys() as keys, pytest.raises(KeysUnavailable):
        keys.wait_until_ready(0.05)


def test_f04_invented_key_id_costs_the_sender_nothing_but_a_refusal() -> None:
    """A miss is answered from memory, while the fetch that it caused is still under way."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        issuer.answers.clear()
        issuer.jwks = jwks_of(KEY, NEXT)
        issuer.now += 31
        started = time.perf_counter()
        assert keys.find("invented") is None
        assert keys.find(KID) is not None
        assert time.perf_counter() - started < 0.5
        issuer.answers.set()
        eventually(lambda: keys.find(NEXT.pair.kid) is not None)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(document("", 500), id="500"),
        pytest.param(document("<html><body>Sign in</body></html>", Content_Type="text/html"), id="html"),
        pytest.param(document(""), id="empty"),
        pytest.param(document('{"keys":[]}'), id="f07-no-keys"),
        pytest.param(document(jwks_of(KEY)[:-10]), id="z71-truncated"),
        pytest.param(document(b"a" * 10_000_000), id="10-mb"),
        pytest.param(document("", 302, Location="/other"), id="f08-redirect"),
        pytest.param(document(jwks_of(KEY).replace('"EC"', '"oct"')), id="f02-symmetric"),
    ],
)
def test_f06_z70_bad_answer_takes_no_key_away(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """After such an answer the keys held go on serving, and one line of the log says what was wrong."""
    now = [1000.0]
    with serving(document(jwks_of(KEY))) as server, remote(server.url, clock=lambda: now[0]) as keys:
        keys.wait_until_ready()
        server.answer = answer
        now[0] += 300
        keys._wake.set()
        eventually(lambda: len(caplog.records) == 1)
        assert keys.find(KID) is not None
        [record] = caplog.records
        assert (record.name, record.levelno) == ("sensos_auth.verifying", logging.WARNING)
        assert server.url in record.getMessage()


def test_z70_keys_serve_through_an_outage_of_a_day_and_come_back() -> None:
    """After a day without an answer nobody gets in; with the next answer everybody does."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        issuer.jwks = FetchFailed("down")
        issuer.pass_time(keys, 24 * 3600 - 1)
        eventually(lambda: len(issuer.fetches) == 2)
        assert keys.find(KID) is not None
        issuer.pass_time(keys, 1)
        with pytest.raises(KeysUnavailable):
            keys.find(KID)
        issuer.jwks = jwks_of(KEY)
        issuer.pass_time(keys, 30)
        keys.wait_until_ready()
        assert keys.find(KID) is not None


def test_longest_outage_can_be_shorter() -> None:
    """A service may choose to stop sooner."""
    issuer = Issuer()
    with remote(URL, clock=issuer.clock, fetch=issuer.fetch, longest_outage=60) as keys:
        keys.wait_until_ready()
        issuer.jwks = FetchFailed("down")
        issuer.now += 60
        with pytest.raises(KeysUnavailable):
            keys.find(KID)


@pytest.mark.parametrize("seconds", [0, -1, 48 * 3600 + 1, float("inf"), float("nan")])
def test_longest_outage_has_a_ceiling(seconds: float) -> None:
    """Not longer than a key is published before it signs: later, good tokens would be refused."""
    with pytest.raises(ConfigurationError):
        RemoteJwks(URL, longest_outage=seconds)


@pytest.mark.parametrize("error", [RuntimeError("x"), MemoryError(), OSError("x"), KeyError("x")], ids=repr)
def test_thread_survives_whatever_breaks(error: Exception) -> None:
    """An exception that nobody planned is a failed fetch, and the next one works."""
    issuer = Issuer(jwks=error)
    with issuer.keys() as keys:
        with pytest.raises(KeysUnavailable):
            keys.wait_until_ready(0.05)
        issuer.jwks = jwks_of(KEY)
        issuer.pass_time(keys, 30)
        keys.wait_until_ready()
        assert keys.find(KID) is not None


def test_z57_sleep_of_the_machine_counts() -> None:
    """A clock that has moved on by a day refuses at once, and the thread is woken to fetch."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        time.sleep(0.05)  # until the thread waits for the next fetch
        issuer.now += 86_400
        with pytest.raises(KeysUnavailable):
            keys.find(KID)
        eventually(lambda: issuer.fetches == [1000.0, 87_400.0])
        assert keys.find(KID) is not None


def test_default_clock_does_not_stop_in_sleep() -> None:
    """Ages are counted by the clock that goes on while the machine sleeps, where there is one."""
    with remote(URL) as keys:
        expected = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
        assert abs(keys._clock() - expected) < 1


def test_many_first_uses_are_one_fetch() -> None:
    """Twenty threads that come first at once cause one fetch."""
    with serving(document(jwks_of(KEY))) as server, remote(server.url) as keys:
        threads = [threading.Thread(target=keys.wait_until_ready) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.paths == ["/jwks.json"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_process_fetches_for_itself() -> None:
    """A child verifies with the keys of its parent at once, and keeps them fresh with a thread of its own."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        with keys._arrived, keys._held._lock:  # locked by a thread that the child won't have
            child = os.fork()
            if child == 0:
                try:
                    signal.signal(signal.SIGALRM, signal.SIG_DFL)
                    signal.alarm(10)  # a child that waits for a lock for ever would outlive the test
                    good = keys.find(KID) is not None
                    issuer.jwks = jwks_of(KEY, NEXT)
                    issuer.now += 31
                    good = good and keys.find(NEXT.pair.kid) is None
                    deadline = time.monotonic() + 5
                    while keys.find(NEXT.pair.kid) is None and time.monotonic() < deadline:
                        time.sleep(0.01)
                    os._exit(0 if good and keys.find(NEXT.pair.kid) is not None else 1)
                finally:
                    os._exit(2)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def test_f06_broken_log_does_not_end_the_refreshing(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that the service's logging can't take, e.g. because a filter of it breaks, ends nothing: keys come."""

    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError(record.name)

    issuer = Issuer(jwks=FetchFailed("status 500"))
    logger, broken = logging.getLogger("sensos_auth.verifying"), Broken()
    logger.addFilter(broken)
    try:
        with caplog.at_level(logging.WARNING), issuer.keys() as keys:
            keys.refresh_soon()
            eventually(lambda: keys.health().last_error == "status 500")
            issuer.jwks = jwks_of(KEY)
            issuer.pass_time(keys, 2)
            keys.wait_until_ready(5)
            assert keys.find(KID) is not None
    finally:
        logger.removeFilter(broken)


def test_closed_keys_fetch_no_more() -> None:
    """After close the thread ends, and nothing is fetched any more."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        thread = keys._thread
        assert thread is not None
        keys.close()
        thread.join(5)
        assert not thread.is_alive()
        issuer.now += 31
        assert keys.find("unknown") is None
        assert issuer.fetches == [1000.0]


def test_thread_does_not_keep_the_process_alive() -> None:
    """The thread is a daemon: a program ends without closing anything."""
    with Issuer().keys() as keys:
        keys.wait_until_ready()
        assert keys._thread is not None
        assert keys._thread.daemon


@pytest.mark.parametrize(
    "url",
    [
        "https://auth.example.com/.well-known/jwks.json",
        "https://auth.example.com:8443/jwks.json?x=1",
        "http://127.0.0.1:8000/jwks.json",
        "http://127.8.9.10/jwks.json",
        "http://[::1]:8000/jwks.json",
        "http://localhost:8000/jwks.json",
        "HTTPS://AUTH.EXAMPLE.COM/",
    ],
)
def test_url_is_https_or_loopback(url: str) -> None:
    """These URLs are accepted."""
    RemoteJwks(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jwks.json",
        "/etc/passwd",
        "https://",
        "http://auth.example.com/jwks.json",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://localhost:80@evil.example/",
        "https://user:password@auth.example.com/",
        "https://user@auth.example.com/",
        "https://auth.example.com/#x",
        "https://auth.example.com:port/",
        "https://[::1/",
        "https://auth.example.com/jwks.json\n",
        " https://auth.example.com/jwks.json",
        "https://auth.example.com /jwks.json",
        "https://auth.\texample.com/jwks.json",
        "https://auth.ex\u0430mple.com/jwks.json",
        "https://auth.example.com\\.evil.example/jwks.json",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://localhost/jwks.json",
        "data:application/json,{}",
    ],
)
def test_f08_other_urls_are_refused(url: str) -> None:
    """Plain http beyond this machine, other schemes, credentials and what is no URL are ConfigurationErrors."""
    with pytest.raises(ConfigurationError):
        RemoteJwks(url)


def test_insecure_url_must_be_asked_for_by_name() -> None:
    """Plain http to another machine needs allow_insecure_http, which allows nothing else."""
    RemoteJwks("http://auth.internal/jwks.json", allow_insecure_http=True)
    with pytest.raises(ConfigurationError):
        RemoteJwks("file:///etc/passwd", allow_insecure_http=True)


def test_unused_ones_are_forgotten() -> None:
    """One that was never used, or was closed, is not kept alive by the module."""
    from sensos_auth.verifying.remote_jwks import _instances  # noqa: PLC0415 - for this test only

    gc.collect()
    before = len(_instances)
    RemoteJwks(URL)
    gc.collect()
    assert len(_instances) == before


def test_good_claims_are_good() -> None:
    """A token under a key fetched later is verified as soon as the key is there."""
    issuer = Issuer()
    with issuer.keys() as keys:
        keys.wait_until_ready()
        verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
        issuer.jwks = jwks_of(KEY, NEXT)
        issuer.pass_time(keys, 240)
        eventually(lambda: len(issuer.fetches) == 2)
        eventually(lambda: keys.find(NEXT.pair.kid) is not None)
        assert verifier.verify(NEXT.sign(NEXT.header(), good_claims())).token_id
