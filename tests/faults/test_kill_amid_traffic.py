"""Z01 to Z05, Z11: everything is killed at a random moment of token traffic and management writes, again and again.

``SENSOS_AUTH_KILL_ROUNDS`` sets the number of rounds.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from sensos_auth.model.signing_key import KeyState
from sensos_auth.registry import open_registry
from sensos_auth.registry.signing_keys import list_signing_keys
from tests.faults.traffic import Client, token_traffic
from tests.running_service import ExampleApplication, RunningService, start_service

ROUNDS = int(os.environ.get("SENSOS_AUTH_KILL_ROUNDS", "5"))
_REPOSITORY = Path(__file__).parents[2]
_OLD_SECRETS = 60  # of earlier rounds, tried again in each


@dataclass
class Acknowledged:
    """All that writers said is done, and what they had begun when they were killed: that may be so or so."""

    tenants: set[str] = field(default_factory=set)
    secrets: dict[str, ExampleApplication] = field(default_factory=dict)
    tenant_of: dict[str, str] = field(default_factory=dict)
    taken_away: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    revoked_keys: set[str] = field(default_factory=set)
    writes: int = 0

    def hear(self, lines: Iterable[bytes]) -> None:
        """Take in what one writer said; its last line may be cut off."""
        begun = ""
        for line in lines:
            if not line.endswith(b"\n"):
                break
            said = json.loads(line)
            begun = said.get("begin", "")
            if "done" in said:
                self._done(said)
                self.writes += 1
        if begun:
            self.open.add(begun)

    def _done(self, said: dict[str, str]) -> None:
        match said["done"]:
            case "tenant":
                self.tenants.add(said["tenant"])
            case "application" | "secret":
                application_id = said["application"]
                tenant_id = self.tenant_of.setdefault(application_id, said.get("tenant", ""))
                self.secrets[said["secret"]] = ExampleApplication(
                    tenant_id, application_id, said["secret"], said["shown"]
                )
            case "disabled" | "revoked":
                self.taken_away.add(said["subject"])
            case "enabled":
                self.taken_away.discard(said["subject"])
            case "key-revoked":
                self.revoked_keys.add(said["kid"])
            case _:
                assert said == {"done": "rotated"}

    def expected(self, secret: ExampleApplication) -> int | None:
        """Return the status of its token request; None where either is right."""
        subjects = {secret.tenant_id, secret.application_id, secret.secret_id}
        if subjects & (self.taken_away - self.open):
            return 401
        return None if subjects & self.open else 200


@pytest.mark.slow
@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_z01_z02_z03_z05_z11_what_was_acknowledged_survives_kill(tmp_path: Path) -> None:
    """What was acknowledged is there, what was taken away stays refused, and nothing is half made."""
    chance = random.Random()  # noqa: S311 - any moment will do
    folder = tmp_path / "data"
    acknowledged = Acknowledged()
    issued = 0
    service = start_service(folder, workers=2)
    seed_application = service.new_application()
    try:
        for number in range(ROUNDS):
            issued += _kill_amid_traffic(service, seed_application, acknowledged, number, chance)
            _check_registry(folder, acknowledged)
            service.end()
            service.log_file.unlink()
            service = start_service(folder, workers=2)
            _check_tokens(service, acknowledged, chance)
    finally:
        service.end()
    assert acknowledged.writes > 20 * ROUNDS
    assert issued > 50 * ROUNDS
    sys.stdout.write(f"\n{ROUNDS} rounds, {acknowledged.writes} acknowledged writes, {issued} tokens\n")


def _kill_amid_traffic(
    service: RunningService,
    application: ExampleApplication,
    acknowledged: Acknowledged,
    number: int,
    chance: random.Random,
) -> int:
    # No connection of this process may be left: the next one to open the file shall have to recover it.
    service.registry.close()
    said = service.data_folder / f"writer-{number}.txt"
    with said.open("wb") as output, token_traffic(service.port, [application], kept=3, fresh=1) as traffic:
        writer = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.faults.registry_writer",
                str(service.data_folder),
                str(chance.getrandbits(32)),
            ],
            cwd=_REPOSITORY,
            stdout=output,
        )
        try:
            give_up_at = time.monotonic() + 20
            while said.stat().st_size < 2_000 and time.monotonic() < give_up_at:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.5)
        finally:
            writer.kill()
            os.killpg(service.process.pid, signal.SIGKILL)
        writer.wait()
        service.process.wait()
    acknowledged.hear(said.read_bytes().splitlines(keepends=True))
    return traffic.issued()


def _check_registry(folder: Path, acknowledged: Acknowledged) -> None:
    with closing(apsw.Connection(str(folder / "registry.sqlite3"))) as connection:
        assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
        assert list(connection.execute("PRAGMA foreign_key_check")) == []
        for table, column, action in (
            ("tenants", "tenant_id", "tenant.created"),
            ("applications", "application_id", "application.created"),
            ("secrets", "secret_id", "secret.created"),
            ("signing_keys", "kid", "signing_key.published"),
        ):
            made = [row[0] for row in connection.execute(f"SELECT {column} FROM {table} ORDER BY 1")]  # noqa: S608 - ours
            told = [
                row[0]
                for row in connection.execute("SELECT subject FROM audit_events WHERE action = ? ORDER BY 1", (action,))
            ]
            assert made == told, f"{table} and the audit trail differ"
        without_secret = (
            "SELECT count(*) FROM applications WHERE application_id NOT IN (SELECT application_id FROM secrets)"
        )
        assert connection.execute(without_secret).fetchone() == (0,)
        ids = {
            row[0] for row in connection.execute("SELECT secret_id FROM secrets UNION SELECT tenant_id FROM tenants")
        }
        assert ids >= acknowledged.secrets.keys() | acknowledged.tenants
        ahead = "SELECT count(*) FROM audit_events WHERE version > (SELECT version FROM clock)"
        assert connection.execute(ahead).fetchone() == (0,)
    with closing(open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")) as registry, registry.view() as view:
        keys = list_signing_keys(view)
        states = {key.kid: key.state(view.now) for key in keys}
        active = [key for key in keys if states[key.kid] is KeyState.ACTIVE]
        assert len(active) == 1
        assert active[0].has_private_key
        assert all(states[kid] is KeyState.REVOKED for kid in acknowledged.revoked_keys)


def _check_tokens(service: RunningService, acknowledged: Acknowledged, chance: random.Random) -> None:
    secrets = list(acknowledged.secrets.values())
    newest, older = secrets[-300:], secrets[:-300]
    client = Client(service.port)
    with closing(client):
        for secret in newest + chance.sample(older, min(len(older), _OLD_SECRETS)):
            asked = client.ask(secret)
            assert asked is not None
            expected = acknowledged.expected(secret)
            assert asked.status in ({200, 401} if expected is None else {expected})
            if asked.status == 200:
                assert asked.kid not in acknowledged.revoked_keys


def test_the_record_of_acknowledged_writes_leaves_open_what_was_only_begun() -> None:
    """What was begun and not acknowledged may be so or so; the next word on it decides."""
    acknowledged = Acknowledged()
    made = {"done": "application", "tenant": "t", "application": "a", "secret": "s", "shown": "x"}
    lines = [json.dumps(line).encode() + b"\n" for line in ({"begin": ""}, made, {"begin": "a"})]
    acknowledged.hear(lines)
    assert acknowledged.expected(acknowledged.secrets["s"]) is None
    with suppress(ValueError):
        acknowledged.hear([b'{"done": "disabled", "subj'])
    acknowledged.open.clear()
    acknowledged.hear([b'{"done": "disabled", "subject": "a"}\n'])
    assert acknowledged.expected(acknowledged.secrets["s"]) == 401
