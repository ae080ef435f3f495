"""The master key is rotated: everything is sealed anew, whoever runs goes on, and a kill anywhere loses nothing."""

import os
import stat
import threading
from pathlib import Path

import pytest

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.feed_signer import keep_feed_key, open_feed_signer
from sensos_auth.issuing.key_rotation import keep_keys_current, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey, make_master_key, read_keys
from sensos_auth.issuing.rewrap import rewrap
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import ConfigurationError, Conflict
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.sealed_keys import sealed_keys
from sensos_auth.registry.signing_keys import list_signing_keys
from tests.issuing.rewrap_killed import kill_at_each_step

VARIABLE = "SENSOS_AUTH_MASTER_KEY"


def _environment(folder: Path) -> dict[str, str]:
    return {"SENSOS_AUTH_DATA_DIR": str(folder)}


def _begin(registry: Registry, environment: dict[str, str]) -> MasterKey:
    """Make two signing keys and the feed's, and return the master key as a worker holds it."""
    master_key = obtain_master_key(registry, environment)
    keep_keys_current(registry, master_key, "ES256")
    keep_feed_key(registry, master_key)
    rotate(registry, master_key, "ES256", actor="me", immediately=False)
    return master_key


def _assert_sealed_under(registry: Registry, key: bytes) -> None:
    with registry.view() as view:
        kept = sealed_keys(view)
    assert len(kept) == 3
    for one in kept:
        MasterKey(key).open(one.kid, one.sealed_private_key)


def test_everything_is_sealed_under_a_new_key(registry: Registry, tmp_path: Path) -> None:
    """Every private key; the old master key opens none of them; the file holds the new one, as private as before."""
    environment, file = _environment(tmp_path), tmp_path / "master.key"
    _begin(registry, environment)
    (old,) = read_keys(file) or []
    with registry.view() as view:
        before = list_signing_keys(view)
    done = rewrap(registry, environment, actor="cli:me")
    assert (done.keys, done.new_file, done.is_complete) == (3, file, True)
    (new,) = read_keys(file) or []
    assert new != old
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "master"))] == ["master.key"]
    _assert_sealed_under(registry, new)
    with registry.view() as view:
        assert list_signing_keys(view) == before
        event = list_events(view)[-1]
        for kept in sealed_keys(view):
            with pytest.raises(ConfigurationError):
                MasterKey(old).open(kept.kid, kept.sealed_private_key)
    assert (event.actor, event.action, event.details) == ("cli:me", "master_key.rotated", {"keys": 3})


def test_workers_that_run_go_on(registry: Registry, tmp_path: Path) -> None:
    """What they opened signs on, and what they open later they open with the master key as it is then."""
    environment = _environment(tmp_path)
    held = _begin(registry, environment)
    with registry.view() as view:
        now = view.now
    opened, unopened = Keyring(KeysInRegistry(registry), held), Keyring(KeysInRegistry(registry), held)
    before = opened.current_signer(now)
    rewrap(registry, environment, actor="me")
    rewrap(registry, environment, actor="me")
    assert opened.current_signer(now) is before
    assert unopened.current_signer(now).kid == before.kid
    open_feed_signer(registry, held)


def test_worker_that_read_before_and_opens_after_goes_on(registry: Registry, tmp_path: Path) -> None:
    """It holds a key as it was sealed before, while another reads the new master key for it: both open."""
    environment = _environment(tmp_path)
    held = _begin(registry, environment)
    with registry.view() as view:
        kept = sealed_keys(view)
    rewrap(registry, environment, actor="me")
    open_feed_signer(registry, held)  # which reads the file anew
    for one in kept:
        held.open(one.kid, one.sealed_private_key)


def test_z05_nothing_is_sealed_under_a_key_that_is_gone(registry: Registry, tmp_path: Path) -> None:
    """Who read the master key before its rotation and makes a key after it seals it under the new one."""
    environment = _environment(tmp_path)
    held = _begin(registry, environment)
    rotate(registry, held, "ES256", actor="me", immediately=True)
    stranger = MasterKey(*(read_keys(tmp_path / "master.key") or []))
    rewrap(registry, environment, actor="me")
    with pytest.raises(ConfigurationError):  # it can't learn of the new one: no key is better than a lost one
        rotate(registry, stranger, "ES256", actor="me", immediately=True)
    (new,) = read_keys(tmp_path / "master.key") or []
    _assert_sealed_under(registry, new)
    rotate(registry, held, "ES256", actor="me", immediately=True)
    obtain_master_key(registry, environment)


def test_file_with_two_keys_opens_and_seals_as_the_registry_is_sealed(registry: Registry, tmp_path: Path) -> None:
    """Between the steps: before everything is sealed anew, and after it."""
    environment, file = _environment(tmp_path), tmp_path / "master.key"
    _begin(registry, environment)
    (old,) = read_keys(file) or []
    new = bytes(range(32))
    file.write_text(f"{old.hex()}\n{new.hex()}\n")
    rotate(registry, obtain_master_key(registry, environment), "ES256", actor="me", immediately=True)
    _assert_sealed_under(registry, old)
    done = rewrap(registry, environment, actor="me")
    assert done.keys == 3
    assert read_keys(file) == [new]
    file.write_text(f"{old.hex()}\n{new.hex()}\n")
    rotate(registry, obtain_master_key(registry, environment), "ES256", actor="me", immediately=False)
    with registry.view() as view:
        for one in sealed_keys(view):
            MasterKey(new).open(one.kid, one.sealed_private_key)
    rewrap(registry, environment, actor="me")
    assert read_keys(file) == [new]


def test_i13_another_master_key_is_refused_and_nothing_is_touched(registry: Registry, tmp_path: Path) -> None:
    """A wrong one, a missing one, one that is no new one."""
    environment, file = _environment(tmp_path), tmp_path / "master.key"
    _begin(registry, environment)
    right = file.read_text()
    with pytest.raises(Conflict):
        rewrap(registry, environment, actor="me", new_master_key_file=file)
    file.write_text("ab" * 32)
    with pytest.raises(ConfigurationError, match="does not open"):
        rewrap(registry, environment, actor="me")
    assert file.read_text() == "ab" * 32
    file.write_text(f"{'ab' * 32}\n{'cd' * 32}\n")
    with pytest.raises(ConfigurationError, match="does not open"):
        rewrap(registry, environment, actor="me")
    file.unlink()
    with pytest.raises(ConfigurationError, match="is missing"):
        rewrap(registry, environment, actor="me")
    file.write_text(right)
    file.chmod(0o600)
    obtain_master_key(registry, environment)


def test_new_key_can_come_from_a_file(registry: Registry, tmp_path: Path) -> None:
    """An operator's own; but not another while a rotation is under way."""
    environment, own = _environment(tmp_path), tmp_path / "own.key"
    _begin(registry, environment)
    make_master_key(own)
    assert rewrap(registry, environment, actor="me", new_master_key_file=own).is_complete
    assert read_keys(tmp_path / "master.key") == read_keys(own)
    (tmp_path / "master.key").write_text(f"{'ab' * 32}\n{'cd' * 32}\n")
    with pytest.raises(Conflict, match="under way"):
        rewrap(registry, environment, actor="me", new_master_key_file=own)


def test_master_key_in_the_environment(registry: Registry, tmp_path: Path) -> None:
    """No program can change it: the new one is in a file, and starts only with that one succeed afterwards."""
    environment, file = _environment(tmp_path) | {VARIABLE: "ab" * 32}, tmp_path / "new.key"
    _begin(registry, environment)
    with pytest.raises(ConfigurationError, match="--new-master-key-file"):
        rewrap(registry, environment, actor="me")
    done = rewrap(registry, environment, actor="me", new_master_key_file=file)
    assert (done.keys, done.new_file, done.is_complete) == (3, file, False)
    assert rewrap(registry, environment, actor="me", new_master_key_file=file).keys == 3  # as after a kill
    with pytest.raises(ConfigurationError, match="after sensos-auth keys rewrap"):
        obtain_master_key(registry, environment)
    obtain_master_key(registry, environment | {VARIABLE: file.read_text()})
    assert not (tmp_path / "master.key").exists()


def test_two_master_keys_in_the_environment(registry: Registry, tmp_path: Path) -> None:
    """The old one, a space, the new one: every start succeeds before and after."""
    environment = _environment(tmp_path) | {VARIABLE: "ab" * 32}
    _begin(registry, environment)
    environment[VARIABLE] += " " + "cd" * 32
    obtain_master_key(registry, environment)
    assert rewrap(registry, environment, actor="me").new_file is None
    obtain_master_key(registry, environment)
    obtain_master_key(registry, environment | {VARIABLE: "cd" * 32})


def test_link_to_the_master_key_stays_a_link(sqlite_registry: Registry, tmp_path: Path) -> None:
    """As where secrets are mounted; and a file that is read-only stays so."""
    environment = _environment(tmp_path / "data")
    _begin(sqlite_registry, environment)
    file = (tmp_path / "data" / "master.key").rename(tmp_path / "elsewhere.key")
    file.chmod(0o400)
    (tmp_path / "data" / "master.key").symlink_to(file)
    before = file.read_text()
    rewrap(sqlite_registry, environment, actor="me")
    assert (tmp_path / "data" / "master.key").is_symlink()
    assert file.read_text() != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o400


def test_rotations_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """None takes another's new key out of the file."""
    environment = _environment(tmp_path)
    url = f"sqlite:///{tmp_path / 'registry.sqlite3'}"
    registry = open_registry(url)
    _begin(registry, environment)
    registry.close()
    failures: list[Exception] = []

    def rotate_often() -> None:
        mine = open_registry(url)
        try:
            for _ in range(5):
                rewrap(mine, environment, actor="me")
                obtain_master_key(mine, environment)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=rotate_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    registry = open_registry(url)
    (key,) = read_keys(tmp_path / "master.key") or []
    _assert_sealed_under(registry, key)
    registry.close()


@pytest.mark.slow
@pytest.mark.waits
def test_z05_killed_at_each_step_it_opens_with_what_is_there(tmp_path: Path) -> None:
    """Before each statement and each call that changes a file; it starts, and the next run comes to its end."""
    folder = tmp_path / "whole"
    registry = open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")
    _begin(registry, _environment(folder))
    registry.close()
    killed = kill_at_each_step(tmp_path)
    assert len(killed) > 20
    seen = set()
    for copy in killed:
        environment = _environment(copy)
        opened = open_registry(f"sqlite:///{copy / 'registry.sqlite3'}")
        held = read_keys(copy / "master.key") or []
        seen.add(len(held))
        master_key = obtain_master_key(opened, environment)
        rotate(opened, master_key, "ES256", actor="me", immediately=True)
        rewrap(opened, environment, actor="me")
        (key,) = read_keys(copy / "master.key") or []
        _assert_sealed_under(opened, key)
        if len(held) > 1:
            assert key == held[1]
        obtain_master_key(opened, environment)
        opened.close()
    assert seen == {1, 2}


def test_file_that_cannot_be_written_is_told(sqlite_registry: Registry, tmp_path: Path) -> None:
    """Before anything has changed; and where only the last step is left, what to do by hand."""
    environment, file = _environment(tmp_path), tmp_path / "master.key"
    _begin(sqlite_registry, environment)
    (old,) = read_keys(file) or []
    in_the_way = tmp_path / f".master.key.{os.getpid()}"
    in_the_way.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        rewrap(sqlite_registry, environment, actor="me")
    _assert_sealed_under(sqlite_registry, old)
    new = bytes(range(32))
    file.write_text(f"{old.hex()}\n{new.hex()}\n")
    with pytest.raises(ConfigurationError, match=r"sealed under the new master key, but .* take the other one out"):
        rewrap(sqlite_registry, environment, actor="me")
    _assert_sealed_under(sqlite_registry, new)
    obtain_master_key(sqlite_registry, environment)
