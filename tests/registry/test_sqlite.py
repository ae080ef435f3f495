import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.credentials import SqliteCredentialReader
from sensos_auth.registry.sqlite import BUSY_TIMEOUT_MS, SqliteDatabase, check_engine
from sensos_auth.registry.tenants import create_tenant, list_tenants

_HOLD_THE_WRITE_LOCK = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a registry file in a folder that does not exist yet."""
    return tmp_path / "data" / "registry.sqlite3"


@contextmanager
def _held_by_another_program(file: Path) -> Iterator[None]:
    command = [sys.executable, "-c", _HOLD_THE_WRITE_LOCK, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            yield
        finally:
            other.communicate("")


def _pragma(database: SqliteDatabase, name: str) -> object:
    return database.connection.pragma(name)


def test_what_was_acknowledged_survives_power_loss(file: Path) -> None:
    """Write-ahead log, synchronous=FULL, foreign keys, a busy time-out of at most 2 s."""
    database = SqliteDatabase(file)
    assert _pragma(database, "journal_mode") == "wal"
    assert _pragma(database, "synchronous") == 2
    assert _pragma(database, "foreign_keys") == 1
    assert _pragma(database, "busy_timeout") == BUSY_TIMEOUT_MS <= 2000
    database.close()


@pytest.mark.parametrize("version", ["3.7.0", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2"])
def test_z20_affected_engine_is_refused(version: str) -> None:
    """An SQLite with the WAL-reset bug is refused, and the message says which one to install."""
    with pytest.raises(ConfigurationError, match=r"can lose committed writes.*install apsw 3\.51\.3 or newer"):
        check_engine(version)


@pytest.mark.parametrize("version", ["3.44.6", "3.44.9", "3.50.7", "3.51.3", "3.54.1", "4.0.0"])
def test_z20_corrected_engine_is_accepted(version: str) -> None:
    """The corrected releases and all later ones are accepted."""
    check_engine(version)


def test_z20_affected_engine_opens_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check comes before the file is made or touched."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(ConfigurationError, match=r"3\.51\.2"):
        SqliteDatabase(file)
    assert not file.parent.exists()


def test_z23_all_files_are_private_whatever_the_umask(file: Path) -> None:
    """The registry, its log and its index are 0600, and the folder that was made for them 0700."""
    before = os.umask(0)
    try:
        registry = open_registry(f"sqlite:///{file}")
        with registry.change("me") as change:
            create_tenant(change, name="a")
        modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in [file.parent, *file.parent.iterdir()]}
        registry.close()
    finally:
        os.umask(before)
    assert modes == {
        "data": "0o700",
        "registry.sqlite3": "0o600",
        "registry.sqlite3-wal": "0o600",
        "registry.sqlite3-shm": "0o600",
    }


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o666, 0o610])
def test_z23_file_open_to_others_is_refused_and_left_alone(file: Path, mode: int) -> None:
    """The message names the file, the mode and the remedy; nothing is changed silently."""
    SqliteDatabase(file).close()
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"open to other users .mode {mode:o}.: run chmod 600 {file}"):
        SqliteDatabase(file)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.parametrize("target_exists", [True, False])
def test_symbolic_link_is_refused(file: Path, *, target_exists: bool) -> None:
    """A link in place of the file is not followed, and nothing is made where it points to."""
    target = file.parent / "elsewhere.sqlite3"
    file.parent.mkdir()
    if target_exists:
        SqliteDatabase(target).close()
    file.symlink_to(target)
    with pytest.raises(ConfigurationError, match="symbolic link"):
        SqliteDatabase(file)
    assert target.exists() == target_exists


def test_linked_folder_is_fine(tmp_path: Path) -> None:
    """Only the file itself must not be a link: its folder may be."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    SqliteDatabase(tmp_path / "link" / "registry.sqlite3").close()
    assert (tmp_path / "real" / "registry.sqlite3").exists()


def test_z18_write_waits_at_most_two_seconds_and_reads_go_on(sqlite_registry: Registry) -> None:
    """While another program holds the write lock, a change is refused in time, and nobody's read is."""
    assert isinstance(sqlite_registry.database, SqliteDatabase)
    file = sqlite_registry.database.path
    with _held_by_another_program(file):
        began = time.monotonic()
        with pytest.raises(RegistryUnavailable, match="busy"), sqlite_registry.change("me") as change:
            create_tenant(change, name="a")
        waited = time.monotonic() - began
        began = time.monotonic()
        with sqlite_registry.view() as view:
            assert list_tenants(view) == []
        assert SqliteCredentialReader(sqlite_registry.database).find(b"?" * 32) is None
        open_registry(f"sqlite:///{file}").close()
        assert time.monotonic() - began < 1
    assert 1.8 < waited < 2.8
    with sqlite_registry.change("me") as change:
        create_tenant(change, name="a")


def test_z14_full_file_refuses_writes_whole_and_goes_on_reading(sqlite_registry: Registry) -> None:
    """A full store refuses the change as a whole, answers reads, and recovers by itself when there is room."""
    database = sqlite_registry.database
    assert isinstance(database, SqliteDatabase)
    database.connection.pragma("max_page_count", database.connection.pragma("page_count"))
    made = 0
    with pytest.raises(RegistryUnavailable, match="disk is full"):  # noqa: PT012 - until it is full
        for _ in range(1000):
            with sqlite_registry.change("me") as change:
                create_tenant(change, name="x" * 200)
            made += 1
    with sqlite_registry.view() as view:
        assert len(list_tenants(view, limit=1000)) == made
    database.connection.pragma("max_page_count", 100_000)
    with sqlite_registry.change("me") as change:
        create_tenant(change, name="a")
    assert database.verify() == []


@contextmanager
def _as_an_ordinary_user() -> Iterator[None]:
    # Root may write everywhere: give that up for a while, and own what an ordinary user owns.
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user can reach."""
    path = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    path.chmod(0o777)
    yield path
    path.chmod(0o700)
    for file in path.iterdir():
        file.unlink()
    path.rmdir()


def test_z17_read_only_folder_is_refused_with_one_sentence(open_folder: Path) -> None:
    """Where the log can't be made, the message names the file; nothing is made."""
    file = open_folder / "registry.sqlite3"
    with _as_an_ordinary_user():
        open_registry(f"sqlite:///{file}").close()
    open_folder.chmod(0o500)
    if os.geteuid() == 0:
        os.chown(open_folder, 65534, -1)
    with _as_an_ordinary_user():
        with pytest.raises(RegistryUnavailable, match=f"{file} cannot be"):
            open_registry(f"sqlite:///{file}")
        assert [path.name for path in open_folder.iterdir()] == ["registry.sqlite3"]


def test_z17_read_only_file_is_read_and_changes_are_refused(open_folder: Path) -> None:
    """A registry that can't be written answers reads, and refuses changes as a whole."""
    file = open_folder / "registry.sqlite3"
    with _as_an_ordinary_user():
        open_registry(f"sqlite:///{file}").close()
        file.chmod(0o400)
        registry = open_registry(f"sqlite:///{file}")
        with pytest.raises(RegistryUnavailable, match=f"{file} cannot be written"), registry.change("me") as change:
            create_tenant(change, name="a")
        with registry.view() as view:
            assert list_tenants(view) == []
        registry.close()


def test_z23_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file where the folder should be is named in the message."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        SqliteDatabase(tmp_path / "data" / "registry.sqlite3")


@pytest.mark.parametrize(
    "content", [b"not a database, but text that is longer than a header of SQLite" * 20, b"\0" * 4096]
)
def test_z21_other_file_is_refused_and_left_alone(file: Path, content: bytes) -> None:
    """What is no SQLite database is never overwritten."""
    file.parent.mkdir()
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="damaged or no SQLite database: restore a backup"):
        open_registry(f"sqlite:///{file}")
    assert file.read_bytes() == content


def test_z21_every_damaged_page_is_found(file: Path) -> None:
    """Whichever page is overwritten, opening or verify() finds it; an unharmed file passes."""
    registry = open_registry(f"sqlite:///{file}")
    for _ in range(30):
        with registry.change("me") as change:
            create_tenant(change, name="x" * 100)
    assert isinstance(registry.database, SqliteDatabase)
    assert registry.database.verify() == []
    registry.close()
    sound = file.read_bytes()
    size = 4096
    undetected = []
    for page in range(len(sound) // size):
        damaged = bytearray(sound)
        damaged[page * size + (100 if page == 0 else 0) : page * size + 120] = b"\xa5" * (20 if page == 0 else 120)
        file.write_bytes(damaged)
        if not _finds_damage(file):
            undetected.append(page + 1)
    assert undetected == []
    assert len(sound) // size > 15


def test_z21_cut_off_file_is_found(file: Path) -> None:
    """A file that lost its end is found."""
    open_registry(f"sqlite:///{file}").close()
    file.write_bytes(file.read_bytes()[:-6000])
    assert _finds_damage(file)


def _finds_damage(file: Path) -> bool:
    try:
        database = SqliteDatabase(file)
    except ConfigurationError:
        return True
    try:
        return database.verify() != []
    except ConfigurationError:
        return True
    finally:
        database.close()


def test_foreign_keys_hold(sqlite_registry: Registry) -> None:
    """SQLite itself refuses an application of no tenant."""
    with pytest.raises(apsw.ConstraintError), sqlite_registry.change("me") as change:
        change.statements.insert_application(
            change.connection,
            application_id="app_x",
            tenant_id="ten_x",
            name="x",
            scope="",
            lifetime=None,
            audience=None,
            created_at=1,
            created_version=1,
        )


def test_errors_of_our_own_come_as_they_are(sqlite_registry: Registry) -> None:
    """A mistake in a statement is no outage, and has no cause but itself."""
    with pytest.raises(apsw.SQLError) as caught, sqlite_registry.view() as view:
        view.connection.execute("SELECT nothing FROM nowhere")
    assert caught.value.__cause__ is None
