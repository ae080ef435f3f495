"""One deadline for many tasks."""

import asyncio
import time

import pytest

from sensos_auth.server.deadline import Deadline

SECONDS = 0.1
LATEST = SECONDS + 0.25 + 0.5  # with half a second for a machine that others use


async def _held(deadline: Deadline, seconds: float) -> bool:
    """Return whether the deadline let this task go on for as long."""
    task = asyncio.current_task()
    assert task is not None
    deadline.hold(task)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        assert not deadline.holds(task)
        return False
    finally:
        deadline.let_go(task)
    return True


def test_late_tasks_are_cancelled_and_no_others() -> None:
    """However many there are, and whenever each began."""

    async def run() -> list[bool]:
        deadline = Deadline(SECONDS)
        early = [asyncio.create_task(_held(deadline, seconds)) for seconds in (0.0, 3600.0, 0.01, 3600.0)]
        await asyncio.sleep(2 * SECONDS)
        return await asyncio.gather(*early, _held(deadline, 3600.0), _held(deadline, 0.01))

    assert asyncio.run(run()) == [True, False, True, False, False, True]


def test_late_tasks_are_cancelled_in_time() -> None:
    """Not before the deadline, and soon after it."""

    async def run() -> float:
        started = time.perf_counter()
        await _held(Deadline(SECONDS), 3600.0)
        return time.perf_counter() - started

    assert SECONDS <= asyncio.run(run()) < LATEST


def test_cancelled_by_somebody_else() -> None:
    """The task is still held then: that is how it tells the two apart."""

    async def run() -> None:
        deadline = Deadline(3600.0)
        task = asyncio.create_task(_held(deadline, 3600.0))
        await asyncio.sleep(0)
        assert deadline.holds(task)
        task.cancel()
        with pytest.raises(AssertionError):
            await task
        assert not deadline.holds(task)

    asyncio.run(run())


def test_looks_again_after_a_time_without_tasks() -> None:
    """And on another event loop, when the first has ended with a look still due."""
    deadline = Deadline(SECONDS)

    async def run() -> bool:
        assert await _held(deadline, 0.0)
        await asyncio.sleep(0.3)
        return await _held(deadline, 3600.0)

    assert not asyncio.run(run())
    asyncio.run(_held(deadline, 0.0))
    assert not asyncio.run(run())
