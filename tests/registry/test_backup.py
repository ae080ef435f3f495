"""Backups: whole, private, consistent beside writers, and never in the way of an older one."""

import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from sensos_auth.model.errors import ConfigurationError, Conflict
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.audit import audit_head, list_events
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.backup import back_up
from sensos_auth.registry.restoring import checked_backup
from sensos_auth.registry.revocations import registry_version
from sensos_auth.registry.tenants import create_tenant


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a registry file with a tenant in it."""
    file = tmp_path / "data" / "registry.sqlite3"
    with closing(open_registry(f"sqlite:///{file}")) as registry:
        _create(registry)
    return file


def _create(registry: Registry) -> str:
    with registry.change("test:me") as change:
        return create_tenant(change, name="x" * 100).tenant_id


def test_a_backup_says_of_what_it_is_a_copy(source: Path, tmp_path: Path) -> None:
    """Version, audit head and time; private; nothing else is left in the folder."""
    target = tmp_path / "backups" / "b.sqlite3"
    target.parent.mkdir()
    made = back_up(source, target)
    with closing(open_registry(f"sqlite:///{source}")) as registry, registry.view() as view:
        assert (made.manifest.version, made.manifest.head) == (registry_version(view), audit_head(view))
    assert checked_backup(target) == made.manifest
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]
    assert made.size == target.stat().st_size


def test_an_older_backup_is_never_overwritten_unless_told_to(source: Path, tmp_path: Path) -> None:
    """Nor is the registry itself, by no name of it."""
    target = tmp_path / "b.sqlite3"
    first = back_up(source, target)
    with pytest.raises(Conflict, match="exists already"):
        back_up(source, target)
    assert checked_backup(target) == first.manifest
    with closing(open_registry(f"sqlite:///{source}")) as registry:
        _create(registry)
    assert back_up(source, target, replace=True).manifest.version > first.manifest.version
    link = tmp_path / "link"
    link.symlink_to(source)
    for name in (source, link):
        with pytest.raises(Conflict, match="the registry itself"):
            back_up(source, name, replace=True)


def test_what_a_kill_left_is_removed_and_what_another_one_writes_is_not(source: Path, tmp_path: Path) -> None:
    """By the lock that its maker holds while it lives."""
    left = tmp_path / ".b[1].sqlite3.0123456789abcdef.partial"
    left.write_bytes(b"half")
    back_up(source, tmp_path / "b[1].sqlite3")
    assert not left.exists()


def test_z26_a_backup_amid_writes_is_one_state_of_the_registry(source: Path, tmp_path: Path) -> None:
    """Again and again while others write: sound, its trail whole up to the version that it says, and no further."""
    ended = threading.Event()
    written = []

    def write() -> None:
        with closing(open_registry(f"sqlite:///{source}")) as registry:
            while not ended.is_set():
                written.append(_create(registry))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        number = 0
        while number < 8 or len(written) < 20:
            before = len(written)
            number += 1
            target = tmp_path / f"{number}.sqlite3"
            made = back_up(source, target)
            assert checked_backup(target) == made.manifest
            with closing(open_registry(f"sqlite:///{target}")) as copy, copy.view() as view:
                events = list_events(view)
                assert verify_trail(view).findings == []
                assert (events[-1].version, events[-1].hash) == (made.manifest.version, made.manifest.head)
                assert len(events) >= before
    finally:
        ended.set()
        for writer in writers:
            writer.join()


def test_z18_a_writer_that_holds_the_registry_does_not_hold_up_a_backup(source: Path, tmp_path: Path) -> None:
    """What it has not committed is not in it."""
    with closing(open_registry(f"sqlite:///{source}")) as registry, registry.change("test:me") as change:
        create_tenant(change, name="under way")
        made = back_up(source, tmp_path / "b.sqlite3")
        assert made.manifest.version < change.version


def test_a_damaged_registry_is_not_backed_up(source: Path, tmp_path: Path) -> None:
    """What cannot be restored is refused when it is made, and leaves nothing behind."""
    content = bytearray(source.read_bytes())
    content[8192:12288] = b"\x00" * 4096
    source.write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged"):
        back_up(source, tmp_path / "b.sqlite3")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data"]


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_what_is_no_backup_is_none(source: Path, tmp_path: Path, content: bytes | None) -> None:
    """An empty file, another file, and the copy of a registry that nobody completed."""
    file = tmp_path / "b.sqlite3"
    file.write_bytes(source.read_bytes() if content is None else content)
    with pytest.raises(ConfigurationError, match="no backup"):
        checked_backup(file)


def test_a_backup_cut_short_is_none(source: Path, tmp_path: Path) -> None:
    """Wherever it was cut."""
    back_up(source, tmp_path / "b.sqlite3")
    whole = (tmp_path / "b.sqlite3").read_bytes()
    cut = tmp_path / "cut.sqlite3"
    for size in range(0, len(whole), 4096 * 3 + 100):
        cut.write_bytes(whole[:size])
        with pytest.raises(ConfigurationError):
            checked_backup(cut)


def test_a_folder_that_cannot_be_written_is_named(source: Path, tmp_path: Path) -> None:
    """One sentence, with the cause."""
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        back_up(source, tmp_path / "nowhere" / "b.sqlite3")
    with pytest.raises(apsw.CantOpenError):
        apsw.Connection(str(tmp_path / "nowhere" / "b.sqlite3"), flags=apsw.SQLITE_OPEN_READONLY)
