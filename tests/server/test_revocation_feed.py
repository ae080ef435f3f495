"""The feed's thread by itself: pages are signed once, and its bounds hold."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sensos_auth.issuing.feed_signer import FeedSigner, keep_feed_key, open_feed_signer
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry import Registry, View, open_registry
from sensos_auth.registry.revocations import revocation_page, revoke_token
from sensos_auth.server import revocation_feed
from sensos_auth.server.revocation_feed import RevocationFeed

ISSUER = "https://auth.example"


class Feed:
    """A feed over a registry of its own, which tests change from the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        self._url = f"sqlite:///{folder / 'registry.sqlite3'}"
        self.registry = open_registry(self._url)
        master_key = MasterKey(bytes(32))
        keep_feed_key(self.registry, master_key)
        self.signer = open_feed_signer(self.registry, master_key)

    def run(
        self,
        use: Callable[[RevocationFeed], Awaitable[None]],
        opening: Callable[[], Registry] | None = None,
        known_version: Callable[[], int] | None = None,
    ) -> None:
        """Run the coroutine function on a feed that has started, and end the feed."""

        async def whole() -> None:
            feed = RevocationFeed(opening or (lambda: open_registry(self._url)), self.signer, ISSUER, known_version)
            feed.start()
            try:
                await use(feed)
            finally:
                feed.close()
                assert not feed._thread.is_alive()

        asyncio.run(whole())

    def revoke(self, token_id: str) -> int:
        """Revoke a token and return the version."""
        with self.registry.change("test") as change:
            revoke_token(change, token_id)
        return change.version


@pytest.fixture
def made(tmp_path: Path) -> Feed:
    """Return a feed's registry and key."""
    return Feed(tmp_path)


async def _until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 3
    while not condition():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.01)


def test_one_page_is_signed_once_for_all_who_ask(made: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the registry changes; five hundred that wait are woken with the same signature."""
    signed: list[bytes] = []
    sign = FeedSigner.sign

    def counting(signer: FeedSigner, body: bytes) -> bytes:
        signed.append(body)
        return sign(signer, body)

    monkeypatch.setattr(FeedSigner, "sign", counting)
    since = made.revoke("first")

    async def use(feed: RevocationFeed) -> None:
        polls = [asyncio.ensure_future(feed.poll(since, 5, has_token=True)) for _ in range(500)]
        await _until(lambda: len(feed._waiting) == 500)
        assert signed == []
        version = made.revoke("second")
        pages = await asyncio.gather(*polls)
        assert {page.version for page in pages} == {version}
        assert len(signed) == 1
        await feed.poll(since, 0, has_token=False)
        assert len(signed) == 1
        made.revoke("third")
        await feed.poll(since, 0, has_token=False)
        assert len(signed) == 2

    made.run(use)


def test_page_is_read_again_after_a_second(made: Feed) -> None:
    """So that ``asOf``, by which verifiers know how fresh it is, is never older."""
    seen: list[bytes] = []

    async def use(feed: RevocationFeed) -> None:
        seen.append((await feed.poll(0, 0, has_token=False)).body)
        await asyncio.sleep(1.01)
        seen.append((await feed.poll(0, 0, has_token=False)).body)

    made.run(use)
    first, second = (json.loads(body) for body in seen)
    assert first["asOf"] < second["asOf"]
    assert first["version"] == second["version"]


@pytest.mark.parametrize("has_token", [True, False])
def test_p10_those_who_wait_are_bounded_apart(made: Feed, monkeypatch: pytest.MonkeyPatch, *, has_token: bool) -> None:
    """The full kind is answered at once, the other one waits; a poll that is given up frees its place."""
    monkeypatch.setattr(revocation_feed, "MOST_WAITING_WITH_TOKEN", 3)
    monkeypatch.setattr(revocation_feed, "MOST_WAITING_WITHOUT", 3)
    since = made.revoke("first")

    async def use(feed: RevocationFeed) -> None:
        polls = [asyncio.ensure_future(feed.poll(since, 9, has_token=has_token)) for _ in range(3)]
        await _until(lambda: len(feed._waiting) == 3)
        await asyncio.wait_for(feed.poll(since, 9, has_token=has_token), 1)
        other = asyncio.ensure_future(feed.poll(since, 9, has_token=not has_token))
        await _until(lambda: len(feed._waiting) == 4)
        polls[0].cancel()
        await _until(lambda: len(feed._waiting) == 3)
        again = asyncio.ensure_future(feed.poll(since, 9, has_token=has_token))
        await _until(lambda: len(feed._waiting) == 4)
        feed.stop_waiting()
        await asyncio.wait_for(asyncio.gather(*polls[1:], other, again), 1)
        await asyncio.wait_for(feed.poll(since, 9, has_token=has_token), 1)

    made.run(use)


def test_registry_that_cannot_be_opened_is_tried_again(made: Feed) -> None:
    """Each poll is told, and the first one after the trouble is answered."""
    troubles = [RegistryUnavailable("busy"), OSError("a file of somebody's")]

    def opening() -> Registry:
        if troubles:
            raise troubles.pop(0)
        return open_registry(made._url)

    async def use(feed: RevocationFeed) -> None:
        for _ in range(2):
            with pytest.raises(RegistryUnavailable) as caught:
                await feed.poll(0, 5, has_token=False)
            assert "somebody" not in str(caught.value)
        assert (await feed.poll(0, 0, has_token=False)).version > 0

    made.run(use, opening)


def test_failure_on_the_way_is_told_to_all(made: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who waited and those who came: nobody is forgotten, and the next poll is answered."""
    since = made.revoke("first")

    async def use(feed: RevocationFeed) -> None:
        waiting = [asyncio.ensure_future(feed.poll(since, 9, has_token=bool(number % 2))) for number in range(4)]
        await _until(lambda: len(feed._waiting) == 4)
        with monkeypatch.context() as broken:
            broken.setattr(FeedSigner, "sign", lambda *_: 1 / 0)
            made.revoke("second")
            for poll in [*waiting, asyncio.ensure_future(feed.poll(0, 9, has_token=False))]:
                with pytest.raises(RegistryUnavailable):
                    await asyncio.wait_for(poll, 2)
        assert (await feed.poll(since, 9, has_token=True)).version > since

    made.run(use)


def test_p10_flood_of_polls_holds_up_nobody_who_waits(made: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for one page after the other is answered bit by bit; beyond a bound, 503. News goes first."""
    monkeypatch.setattr(revocation_feed, "_MOST_ARRIVED", 50)
    sign = FeedSigner.sign

    def slowly(signer: FeedSigner, body: bytes) -> bytes:
        time.sleep(0.005)
        return sign(signer, body)

    monkeypatch.setattr(FeedSigner, "sign", slowly)
    since = made.revoke("first")

    async def use(feed: RevocationFeed) -> None:
        verifier = asyncio.ensure_future(feed.poll(since, 9, has_token=True))
        await _until(lambda: len(feed._waiting) == 1)
        flood = [asyncio.ensure_future(feed.poll(number, 0, has_token=False)) for number in range(200)]
        await asyncio.sleep(0.05)
        made.revoke("second")
        began = time.monotonic()
        await verifier
        assert time.monotonic() - began < 0.5
        ends = await asyncio.gather(*flood, return_exceptions=True)
        refused = [end for end in ends if isinstance(end, RegistryUnavailable)]
        assert 100 <= len(refused) <= 150
        assert len(refused) + sum(isinstance(end, tuple) for end in ends) == 200

    made.run(use)


def test_p10_news_goes_to_strangers_last(made: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stranger who waits can do so from a version of his own, so that there is a page to sign for each of them.

    Whoever is counted has the news before the first of them, however long they have waited.
    """
    news = made.revoke("first")
    time.sleep(0.1)  # a version is a time in milliseconds, and every one between two is taken
    with made.registry.change("test") as change:
        change.record("test.nothing_revoked", "x")
    sign = FeedSigner.sign

    def slowly(signer: FeedSigner, body: bytes) -> bytes:
        time.sleep(0.01)
        return sign(signer, body)

    async def use(feed: RevocationFeed) -> None:
        room = change.version - news
        strangers = [asyncio.ensure_future(feed.poll(news + number % room, 9, has_token=False)) for number in range(60)]
        await _until(lambda: len(feed._waiting) == 60)
        verifier = asyncio.ensure_future(feed.poll(change.version, 9, has_token=True))
        await _until(lambda: len(feed._waiting) == 61)
        monkeypatch.setattr(FeedSigner, "sign", slowly)
        made.revoke("second")
        began = time.monotonic()
        assert (await verifier).version > change.version
        assert time.monotonic() - began < 0.25
        assert {(await stranger).version for stranger in strangers} == {verifier.result().version}

    made.run(use)


def test_p10_strangers_get_a_quarter_of_the_time(made: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for pages without a token leaves the rest to the event loop; with a token, nobody queues for it."""
    busy: list[float] = []
    sign = FeedSigner.sign

    def slowly(signer: FeedSigner, body: bytes) -> bytes:
        time.sleep(0.01)
        busy.append(0.01)
        return sign(signer, body)

    monkeypatch.setattr(FeedSigner, "sign", slowly)
    made.revoke("first")

    async def use(feed: RevocationFeed) -> None:
        began = time.monotonic()
        flood = [asyncio.ensure_future(feed.poll(number, 0, has_token=False)) for number in range(15)]
        await asyncio.sleep(0.06)
        asked = time.monotonic()
        await feed.poll(100, 0, has_token=True)
        assert time.monotonic() - asked < 0.25
        await asyncio.gather(*flood)
        assert len(busy) == 16
        assert time.monotonic() - began > 3 * sum(busy[:10])

    made.run(use)


def test_z37_slow_registry_keeps_strangers_waiting_once(made: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes for an answer is not their doing: they would hear of no revocation for thrice as long again."""
    made.revoke("first")

    def slowly(view: View, issuer: str, since: int) -> RevocationPage:
        time.sleep(1)
        return revocation_page(view, issuer, since)

    async def use(feed: RevocationFeed) -> None:
        monkeypatch.setattr(revocation_feed, "revocation_page", slowly)
        await feed.poll(0, 0, has_token=False)
        monkeypatch.setattr(revocation_feed, "revocation_page", revocation_page)
        began = time.monotonic()
        await feed.poll(1, 0, has_token=False)
        assert time.monotonic() - began < 1.5

    made.run(use)


def test_registry_is_not_looked_at_without_news(made: Feed) -> None:
    """Where the worker hears of the version: while it stays the same, whoever waits costs the registry nothing."""
    known = [made.revoke("first")]

    async def use(feed: RevocationFeed) -> None:
        held = asyncio.ensure_future(feed.poll(known[0], 5, has_token=True))
        await _until(lambda: len(feed._waiting) == 1)
        version = made.revoke("second")
        await asyncio.sleep(0.2)
        assert not held.done()
        known[0] = version
        assert (await asyncio.wait_for(held, 1)).version == version

    made.run(use, known_version=lambda: known[0])


def test_z35_nobody_waits_at_a_worker_that_hears_nothing(made: Feed) -> None:
    """It is cut off from the registry: who waits for news, and who comes, is told at once to ask elsewhere."""
    version = made.revoke("first")
    is_cut_off: list[bool] = []

    def known_version() -> int:
        if is_cut_off:
            raise RegistryUnavailable("the registry is out of reach")
        return version

    async def use(feed: RevocationFeed) -> None:
        held = [asyncio.ensure_future(feed.poll(version, 10, has_token=has_token)) for has_token in (True, False)]
        await _until(lambda: len(feed._waiting) == 2)
        is_cut_off.append(True)
        began = time.monotonic()
        for poll in (*held, feed.poll(version, 10, has_token=True), feed.poll(version, 0, has_token=False)):
            with pytest.raises(RegistryUnavailable):
                await poll
        assert time.monotonic() - began < 0.5
        is_cut_off.clear()
        assert (await feed.poll(0, 0, has_token=False)).version == version

    made.run(use, known_version=known_version)


def test_z36_nobody_waits_for_a_thread_that_is_stuck(made: Feed) -> None:
    """The registry fell silent in the middle of an answer: that takes seconds to be noticed there."""
    is_stuck, released = threading.Event(), threading.Event()

    def open_and_hang() -> Registry:
        is_stuck.set()
        released.wait(5)
        return open_registry(made._url)

    def known_version() -> int:
        if is_stuck.is_set() and not released.is_set():
            raise RegistryUnavailable("the registry is out of reach")
        return 0

    async def use(feed: RevocationFeed) -> None:
        began = time.monotonic()
        for wait in (10, 0):
            with pytest.raises(RegistryUnavailable):
                await feed.poll(0, wait, has_token=True)
        assert time.monotonic() - began < 1
        released.set()
        assert (await feed.poll(0, 0, has_token=True)).version > 0

    made.run(use, open_and_hang, known_version)
