import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from sensos_auth.model.errors import NotFound, RegistryUnavailable
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.tenants import count_tenants, create_tenant, get_tenant
from sensos_auth.server import registry_thread
from sensos_auth.server.answers import Answer, Refusal
from sensos_auth.server.registry_thread import RegistryThread


def with_thread(folder: Path, use: Callable[[RegistryThread], Awaitable[object]]) -> object:
    """Return what ``use`` returns, over a thread that works on a fresh registry."""

    async def run() -> object:
        thread = RegistryThread(lambda: open_registry(f"sqlite:///{folder / 'registry.sqlite3'}"))
        thread.start()
        try:
            return await use(thread)
        finally:
            thread.close()

    return asyncio.run(run())


def add_tenant(registry: Registry) -> str:
    """Make a tenant, and return the thread that did."""
    with registry.change("test") as change:
        create_tenant(change, name="Blue Motors")
    return threading.current_thread().name


def count(registry: Registry) -> int:
    """Return how many tenants there are."""
    with registry.view() as view:
        return count_tenants(view)


def test_work_is_done_in_one_other_thread_in_order(tmp_path: Path) -> None:
    """Each piece sees what those before it did, however many ask at once."""

    async def use(thread: RegistryThread) -> object:
        asked = [thread.run(work) for _ in range(20) for work in (add_tenant, count)]
        return await asyncio.gather(*asked)

    results = with_thread(tmp_path, use)
    assert isinstance(results, list)
    assert set(results[0::2]) == {"management"}
    assert results[1::2] == list(range(1, 21))


def test_event_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    """A slow change keeps nobody from getting a token."""

    async def use(thread: RegistryThread) -> object:
        released = threading.Event()
        slow = asyncio.ensure_future(thread.run(lambda _: released.wait(5)))
        await asyncio.sleep(0.01)
        assert not slow.done()
        released.set()
        return await slow

    assert with_thread(tmp_path, use) is True


def test_what_the_work_raises_is_raised(tmp_path: Path) -> None:
    """And the thread lives on."""

    async def use(thread: RegistryThread) -> object:
        def find(registry: Registry) -> None:
            with registry.view() as view:
                get_tenant(view, "ten_" + "a" * 26)

        with pytest.raises(NotFound):
            await thread.run(find)
        return await thread.run(count)

    assert with_thread(tmp_path, use) == 0


def test_registry_that_can_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    """With the next piece of work."""

    async def run() -> int:
        tries = []

        def open_at_second_try() -> Registry:
            tries.append(1)
            if len(tries) == 1:
                raise RegistryUnavailable("not yet")
            return open_registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}")

        thread = RegistryThread(open_at_second_try)
        thread.start()
        with pytest.raises(RegistryUnavailable):
            await thread.run(count)
        try:
            return await thread.run(count)
        finally:
            thread.close()

    assert asyncio.run(run()) == 0


def test_p_too_much_at_once_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with an error that becomes a 503; what was taken is done."""
    monkeypatch.setattr(registry_thread, "MOST_WAITING", 3)

    async def use(thread: RegistryThread) -> object:
        begun, released = threading.Event(), threading.Event()

        def wait(_: Registry) -> None:
            begun.set()
            released.wait(5)

        first = asyncio.ensure_future(thread.run(wait))
        await asyncio.to_thread(begun.wait, 5)
        waiting = [asyncio.ensure_future(thread.run(add_tenant)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RegistryUnavailable, match="too many"):
            await thread.run(add_tenant)
        released.set()
        await asyncio.gather(first, *waiting)
        return await thread.run(count)

    assert with_thread(tmp_path, use) == 3


def test_p_work_that_waited_for_too_long_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has been told to come again: doing it nevertheless would make it twice."""
    monkeypatch.setattr(registry_thread, "LONGEST_WAIT", 0.05)

    async def use(thread: RegistryThread) -> object:
        slow = asyncio.ensure_future(thread.run(lambda _: time.sleep(0.2)))
        late = asyncio.ensure_future(thread.run(add_tenant))
        await slow
        with pytest.raises(RegistryUnavailable, match="wait for too long"):
            await late
        return await thread.run(count)

    assert with_thread(tmp_path, use) == 0


def test_work_of_a_client_that_hung_up_is_not_begun(tmp_path: Path) -> None:
    """Nobody would hear of it."""

    async def use(thread: RegistryThread) -> object:
        released = threading.Event()
        slow = asyncio.ensure_future(thread.run(lambda _: released.wait(5)))
        given_up = asyncio.ensure_future(thread.run(add_tenant))
        await asyncio.sleep(0.01)
        given_up.cancel()
        with suppress(asyncio.CancelledError):
            await given_up
        released.set()
        await slow
        return await thread.run(count)

    assert with_thread(tmp_path, use) == 0


def test_h06_busy_tenant_keeps_no_other_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has too much waiting is told so (429), and another tenant's work is done before most of his."""
    monkeypatch.setattr(registry_thread, "MOST_WAITING_OF_ONE", 20)
    done: list[str] = []

    async def use(thread: RegistryThread) -> object:
        released = threading.Event()
        slow = asyncio.ensure_future(thread.run(lambda _: released.wait(5), "greedy"))
        await asyncio.sleep(0.05)
        greedy = [asyncio.ensure_future(thread.run(lambda _: done.append("greedy"), "greedy")) for _ in range(20)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await thread.run(add_tenant, "greedy")
        modest = asyncio.ensure_future(thread.run(lambda _: done.append("modest"), "modest"))
        await asyncio.sleep(0)
        released.set()
        await asyncio.gather(slow, modest, *greedy)
        return refused.value.answer

    answer = with_thread(tmp_path, use)
    assert isinstance(answer, Answer)
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (429, b"1")
    assert done[:2] == ["greedy", "modest"]


def test_answer_is_put_off_until_the_change_has_settled(tmp_path: Path) -> None:
    """Where other nodes may go by what was before: who asked waits, and the thread does the next work meanwhile."""
    settles_in = 0.3

    def take_away(registry: Registry) -> str:
        registry.database.settles_in = settles_in
        with registry.change("test") as change:
            change.record("application.disabled", "app")
        return "gone"

    def take_away_and_fail(registry: Registry) -> None:
        take_away(registry)
        raise NotFound("something else")

    async def timed(work: Awaitable[object]) -> tuple[object, float]:
        began = time.monotonic()
        try:
            return await work, time.monotonic() - began
        except NotFound as error:
            return error, time.monotonic() - began

    async def use(thread: RegistryThread) -> object:
        return await asyncio.gather(
            *(timed(thread.run(work)) for work in (take_away, count, take_away_and_fail, add_tenant, count))
        )

    results = with_thread(tmp_path, use)
    assert isinstance(results, list)
    (gone, gone_after), (none, none_after), (failed, failed_after), (_, made_after), (one, one_after) = results
    assert (gone, none, one) == ("gone", 0, 1)
    assert isinstance(failed, NotFound)
    assert min(gone_after, failed_after) >= settles_in
    assert max(none_after, made_after, one_after) < settles_in


def test_work_whose_client_hung_up_while_it_settles(tmp_path: Path) -> None:
    """Nobody is told, and the thread goes on."""

    def take_away(registry: Registry) -> None:
        registry.database.settles_in = 0.1
        with registry.change("test") as change:
            change.record("application.disabled", "app")

    async def use(thread: RegistryThread) -> object:
        given_up = asyncio.ensure_future(thread.run(take_away))
        await thread.run(count)
        given_up.cancel()
        with suppress(asyncio.CancelledError):
            await given_up
        await asyncio.sleep(0.15)
        return await thread.run(count)

    assert with_thread(tmp_path, use) == 0
