import threading

import pytest

from sensos_auth.registry import lease as module
from sensos_auth.registry.lease import LEASE, Confirmed, Lease


def test_nothing_is_confirmed_at_first() -> None:
    """A node that has not asked yet goes by nothing; it knows of no change either."""
    lease = Lease()
    assert lease.confirmed == Confirmed(0, 0, 0.0)
    assert not lease.has_changed(0, "app_a")


def test_lease_is_the_same_for_all() -> None:
    """A quarter of a second: other nodes, of other releases, wait for as long."""
    assert LEASE == 0.25


def test_change_is_one_for_what_was_read_before_it() -> None:
    """What was read at the version of the change has it already; other subjects have not changed."""
    lease = Lease()
    lease.note_change("app_a", 7)
    assert lease.has_changed(6, "app_a")
    assert lease.has_changed(6, "sec_x", "app_a")
    assert not lease.has_changed(7, "app_a")
    assert not lease.has_changed(6, "app_b", "ten_a")


def test_change_that_is_named_again_stays_the_latest() -> None:
    """Events are read twice at times, the older ones first: meanwhile the later one is not forgotten."""
    lease = Lease()
    lease.note_change("app_a", 7)
    lease.note_change("app_a", 6)
    assert lease.has_changed(6, "app_a")


def test_change_everywhere() -> None:
    """Whatever was read before that version counts as changed; what is read from then on does not."""
    lease = Lease()
    lease.note_change("app_a", 4)
    lease.note_changes_everywhere(9)
    assert lease.has_changed(8, "app_b")
    assert not lease.has_changed(9, "app_a")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are too many subjects to tell apart, all that was read before counts as changed: never the reverse."""
    monkeypatch.setattr(module, "_MOST_SUBJECTS", 3)
    lease = Lease()
    for version, subject in enumerate(["a", "b", "c", "a", "d", "e"], 1):
        lease.note_change(subject, version)
        for read_at in range(version):
            assert lease.has_changed(read_at, subject)
        _, changed_at = lease._changes
        assert len(changed_at) <= 3
    assert lease.has_changed(1, "c")
    assert lease.has_changed(3, "nobody")
    assert not lease.has_changed(4, "a")
    assert lease.has_changed(5, "e")


def test_whoever_sees_a_version_sees_the_changes_up_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread writes, another one reads without a lock, also while the subjects are thrown together."""
    monkeypatch.setattr(module, "_MOST_SUBJECTS", 50)
    lease = Lease()
    ended = threading.Event()
    missed: list[int] = []

    def read() -> None:
        while not ended.is_set():
            version = lease.confirmed.version
            if version and not lease.has_changed(version - 1, f"app_{version}"):
                missed.append(version)

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(1, 20_000):
        lease.note_change(f"app_{version}", version)
        lease.confirm(Confirmed(version, 0, 0.0))
    ended.set()
    reader.join()
    assert missed == []
