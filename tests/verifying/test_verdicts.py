import os
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.verifying import Caller, parse_jwks
from sensos_auth.verifying.verdicts import BYTES_PER_VERDICT, Verdict, Verdicts
from tests.verifying.issued import APPLICATION, KEY, NOW, TENANT, jwks_of

[SIGNED_BY] = parse_jwks(jwks_of(KEY).encode()).values()


def _verdict(payload: bytes = b"{}") -> Verdict:
    caller = Caller(TENANT, APPLICATION, frozenset(), "id", NOW + 60, payload)
    return Verdict(caller, SIGNED_BY, begins_at=NOW, generation=0)


def _held(verdicts: Verdicts) -> list[Verdict]:
    return [*verdicts._young.values(), *verdicts._old.values()]


def test_verdict_is_found_by_digest() -> None:
    """What was put under a digest is found under it, and nothing under another one."""
    verdicts, verdict = Verdicts(10), _verdict()
    verdicts.put(b"a", verdict)
    assert verdicts.get(b"a") is verdict
    assert verdicts.get(b"b") is None


def test_d26_number_of_verdicts_is_bounded() -> None:
    """A flood of good tokens holds no more verdicts than the size, and the newest are there."""
    verdicts = Verdicts(100)
    for n in range(10_000):
        verdicts.put(str(n).encode(), _verdict())
        assert len(verdicts._young) + len(verdicts._old) <= 100
    assert verdicts.get(b"9999") is not None
    assert verdicts.get(b"0") is None


def test_d26_memory_is_bounded() -> None:
    """Large verdicts take the room of several: their payloads never come to more than a KiB for each of the size."""
    verdicts = Verdicts(100)
    for n in range(1000):
        verdicts.put(str(n).encode(), _verdict(b" " * 6000))
        assert sum(len(verdict.caller.payload) for verdict in _held(verdicts)) <= 100 * BYTES_PER_VERDICT
    assert verdicts.get(b"999") is not None


@pytest.mark.parametrize("count", [77, 300, 2000])
def test_d26_memory_is_bounded_when_tokens_have_many_scopes(count: int) -> None:
    """An application that asks for ever other ones of its many scopes takes no more memory than others do."""
    verdicts = Verdicts(500)
    for n in range(1500):
        payload = b"s " * count
        names = frozenset(f"{n}-{name}" for name in range(count))
        verdicts.put(str(n).encode(), Verdict(Caller("t", "a", names, "id", NOW, payload), SIGNED_BY, NOW, 0))
    callers = [verdict.caller for verdict in _held(verdicts)]
    taken = sum(
        len(caller.payload) + sys.getsizeof(caller.scopes) + sum(map(sys.getsizeof, caller.scopes))
        for caller in callers
    )
    assert 0 < taken <= 500 * BYTES_PER_VERDICT


def test_what_is_used_stays() -> None:
    """A verdict that is asked for again and again outlives any number of others."""
    verdicts, wanted = Verdicts(10), _verdict()
    verdicts.put(b"wanted", wanted)
    for n in range(1000):
        verdicts.put(str(n).encode(), _verdict())
        assert verdicts.get(b"wanted") is wanted


@pytest.mark.parametrize("size", [1, 0, -1])
def test_size_is_at_least_two(size: int) -> None:
    """Each of the two generations holds at least one verdict."""
    with pytest.raises(ConfigurationError):
        Verdicts(size)


@given(
    st.integers(2, 20),
    st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 8000)), max_size=200),
)
def test_no_order_of_use_breaks_the_bounds(size: int, steps: list[tuple[bool, int, int]]) -> None:
    """Whatever is put and asked for, a verdict found is the last one put, and the bounds hold."""
    verdicts = Verdicts(size)
    put: dict[bytes, Verdict] = {}
    for is_put, name, length in steps:
        digest = str(name).encode()
        if is_put:
            put[digest] = _verdict(b" " * length)
            verdicts.put(digest, put[digest])
        else:
            assert verdicts.get(digest) in {None, put.get(digest)}
        assert len(_held(verdicts)) <= size
        # One that is larger than a whole generation is held alone in it.
        small = [verdict for verdict in _held(verdicts) if len(verdict.caller.payload) < BYTES_PER_VERDICT]
        assert sum(len(verdict.caller.payload) for verdict in small) <= size * BYTES_PER_VERDICT


def test_nobody_waits_for_a_lock() -> None:
    """While another thread holds the lock, verdicts are found and none is kept."""
    verdicts, verdict = Verdicts(10), _verdict()
    verdicts.put(b"a", verdict)
    with verdicts._lock:
        verdicts.put(b"b", verdict)
        assert verdicts.get(b"a") is verdict
    assert verdicts.get(b"b") is None


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_process_remembers() -> None:
    """A child keeps verdicts although a thread that it does not have held the lock when it was forked."""
    verdicts, verdict = Verdicts(10), _verdict()
    verdicts.put(b"of the parent", verdict)
    with verdicts._lock:
        child = os.fork()
        if child == 0:
            try:
                verdicts.put(b"of the child", verdict)
                good = verdicts.get(b"of the parent") is verdicts.get(b"of the child") is verdict
                os._exit(0 if good else 1)
            finally:
                os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_threads_find_what_is_theirs() -> None:
    """Eight threads that drive each other's verdicts out never find another one than was put."""
    verdicts = Verdicts(50)
    by_name = {str(n).encode(): _verdict() for n in range(200)}
    wrong: list[bytes] = []

    def use(offset: int) -> None:
        names = list(by_name)
        for n in range(5000):
            name = names[(n * (offset + 1)) % len(names)]
            found = verdicts.get(name)
            if found is None:
                verdicts.put(name, by_name[name])
            elif found is not by_name[name]:
                wrong.append(name)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(verdicts._young) <= 50
