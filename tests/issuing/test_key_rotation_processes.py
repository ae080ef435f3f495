import subprocess
import sys
from pathlib import Path

import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.signing_key import SigningKey, active_key
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase
from tests.issuing.deployment import MASTER_KEY
from tests.killed_at_statement import FILE, run_and_kill
from tests.registries import START, Clock, Place

_REPOSITORY = Path(__file__).parents[2]
_D = 86_400
_PROCESSES = 5


def _keep_in_several_processes(place: Place) -> list[str]:
    command = [sys.executable, "-m", "tests.issuing.keeping_keys", place.engine, place.address]
    ended = subprocess.run(
        [*command, str(place.clock.seconds()), str(_PROCESSES)],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return sorted(ended.stdout.split("\n")[:-1])


def test_z47_f13_several_processes_at_once_make_one_key(place: Place) -> None:
    """On a registry that does not exist yet, and when the next key is due: one process makes it, the others none."""
    for nth in (1, 2):
        made = _keep_in_several_processes(place)
        assert made[:-1] == [""] * (_PROCESSES - 1)
        with place.open().view() as view:
            keys = list_signing_keys(view)
        assert len(keys) == nth
        assert keys[-1].kid == made[-1]
        place.clock.advance(28 * _D)


@pytest.mark.parametrize(
    ("action", "later"),
    [
        pytest.param("keep", None, id="first-key"),
        pytest.param("keep", 28 * _D, id="next-key"),
        pytest.param("keep", 2 * _D, id="erase"),
        pytest.param("rotate", _D, id="rotate"),
        pytest.param("rotate-immediately", _D, id="rotate-immediately"),
        pytest.param("revoke-active", _D, id="revoke"),
    ],
)
def test_z05_killed_at_each_step_of_rotation(tmp_path: Path, action: str, later: int | None) -> None:
    """Whatever statement is the last, the rotation has happened whole or not at all, and going on works."""
    now = START + (later or 0)
    if later is None:
        _open(tmp_path / FILE, now).close()
    else:
        _prepare(tmp_path / FILE, with_a_retiring_key=later == 2 * _D)
    left = run_and_kill(tmp_path, action, now)
    contents = []
    for file in left:
        registry = _open(file, now)
        with registry.view() as view:
            keys = list_signing_keys(view)
            contents.append((_shape(keys), [event.action for event in list_events(view)]))
        if later is not None:
            _assert_one_signs(registry, now)
        keep_keys_current(registry, MASTER_KEY, "ES256")
        _assert_one_signs(registry, now)
        registry.close()
    assert len(left) > 8
    before, after = contents[0], contents[-1]
    assert before != after
    # Killed before the commit: as before; killed after it: as after. Nothing in between.
    commits = contents.index(after)
    assert contents == [before] * commits + [after] * (len(contents) - commits)
    assert commits >= len(contents) - 2


def _prepare(file: Path, *, with_a_retiring_key: bool) -> None:
    registry = _open(file, START)
    keep_keys_current(registry, MASTER_KEY, "ES256")
    if with_a_retiring_key:
        rotate(registry, MASTER_KEY, "ES256", actor="me", immediately=True)
    registry.close()


def _open(file: Path, now: int) -> Registry:
    database = SqliteDatabase(file)
    migrate(database, now)
    return Registry(database, Clock(now))


def _shape(keys: list[SigningKey]) -> list[tuple[int, int | None, int | None, bool]]:
    return [(key.signs_from, key.signs_until, key.revoked_at, key.has_private_key) for key in keys]


def _assert_one_signs(registry: Registry, now: int) -> None:
    with registry.view() as view:
        keys = list_signing_keys(view)
    active = active_key(keys, now)
    assert active is not None
    keyring = Keyring(KeysInRegistry(registry), MASTER_KEY)
    assert keyring.current_signer(now).kid == active.kid
    # No key is published without its private half, unless it has signed its last.
    assert all(key.has_private_key for key in keys if key.signs_until is None or key.signs_until > now)
