"""Nodes that start: together on a database without keys, and with a master key that is not the deployment's."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry import open_registry
from sensos_auth.registry.audit import list_events
from sensos_auth.server import serving
from tests.postgresql_server import new_database_url
from tests.running_service import COMMAND, free_port, running_nodes, running_service, upgrade
from tests.server.several_nodes.asking_nodes import command, verifying

_REFUSAL = re.compile(
    r"Error: the master key does not open the signing key [\w-]{43}: set SENSOS_AUTH_MASTER_KEY or .*\n"
    r"|Error: the master key file \S+ is missing, and the registry's signing keys can't be opened without it: .*\n"
)


def _environment(url: str, folder: Path, **settings: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    return ours | {"SENSOS_AUTH_DATABASE_URL": url, "SENSOS_AUTH_DATA_DIR": str(folder)} | settings


@contextmanager
def _starting(environment: dict[str, str], port: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", str(port), "--workers", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_z48_node_with_another_master_key_refuses_to_start(tmp_path: Path) -> None:
    """In a sentence that says what to set; nothing is changed, and the others serve on."""
    with running_nodes(tmp_path, new_database_url(), 1) as (node,):
        with node.registry.view() as view:
            before = len(list_events(view))
        other = node.environment | {"SENSOS_AUTH_MASTER_KEY": secrets.token_hex(32)}
        with _starting(other, free_port()) as process:
            output, error = process.communicate(timeout=20)
        assert (process.returncode, output) == (1, "")
        assert _REFUSAL.fullmatch(error), error
        with node.registry.view() as view:
            assert len(list_events(view)) == before
        assert node.client.get("/readyz").status_code == 200


def test_z48_of_two_first_starts_with_master_keys_of_their_own_one_wins(tmp_path: Path) -> None:
    """The other refuses, and starts as soon as it has the first one's master key."""
    url = new_database_url()
    upgrade(url)
    folders, ports = [tmp_path / "a", tmp_path / "b"], [free_port(), free_port()]
    environments = [_environment(url, folder) for folder in folders]
    with _starting(environments[0], ports[0]) as one, _starting(environments[1], ports[1]) as other:
        give_up_at = time.monotonic() + 20
        while (one.poll() is None) == (other.poll() is None):
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        winner, loser = (0, 1) if one.poll() is None else (1, 0)
        _wait_until_ready(ports[winner])
        process = (one, other)[loser]
        output, error = process.communicate(timeout=20)
        assert (process.returncode, output) == (1, "")
        assert _REFUSAL.fullmatch(error), error
        folders[loser].mkdir(exist_ok=True)
        shutil.copy(folders[winner] / "master.key", folders[loser] / "master.key")
        with _starting(environments[loser], ports[loser]):
            _wait_until_ready(ports[loser])
            jwks = [httpx2.get(f"http://127.0.0.1:{port}/.well-known/jwks.json", trust_env=False) for port in ports]
    assert jwks[0].content == jwks[1].content
    assert len(jwks[0].json()["keys"]) == 1


def test_z48_node_that_was_not_given_the_new_master_key_issues_nothing_with_the_next_signing_key(
    tmp_path: Path,
) -> None:
    """It signs on with the key that it holds; then it is not ready, and says why, until it has the new master key."""
    environment = {"SENSOS_AUTH_DATABASE_URL": new_database_url()}
    files = [tmp_path / name / "master.key" for name in ("a", "b")]
    with running_service(files[0].parent, environment=environment, at_once=True) as node:
        environment["SENSOS_AUTH_ISSUER"] = node.base_url
        files[1].parent.mkdir()
        shutil.copy(*files)
        with running_service(files[1].parent, environment=environment, at_once=True) as other:
            application = node.new_application()
            command(node, "keys", "rewrap")
            assert [each.ask(application).status_code for each in (node, other)] == [200, 200]
            command(node, "keys", "rotate", "--immediately")
            assert [each.ask(application).status_code for each in (node, other)] == [200, 503]
            assert other.client.get("/readyz").status_code == 503
            other.wait_for_line(lambda line: "to the new one after sensos-auth keys rewrap" in line.get("reason", ""))
            assert verifying(other, node.token(application)) == 200
            shutil.copy(*files)
            assert [each.ask(application).status_code for each in (node, other)] == [200, 200]
            assert other.client.get("/readyz").status_code == 200


def _wait_until_ready(port: int) -> None:
    give_up_at = time.monotonic() + 20
    while True:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.mark.parametrize("step", ["keep_keys_current", "keep_feed_key"])
def test_z48_first_start_that_is_overtaken_by_another_nodes_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """At any step: whoever has made the first key is the deployment, and nothing is sealed under another master key."""
    url = new_database_url()
    upgrade(url)
    slow, fast = (_environment(url, tmp_path / name) for name in ("slow", "fast"))
    take_step = getattr(serving, step)
    refused: list[str] = []

    def be_overtaken(*arguments: object) -> object:
        monkeypatch.undo()
        try:
            serving.prepare(fast)
        except ConfigurationError as error:
            refused.append(str(error))
        return take_step(*arguments)

    monkeypatch.setattr(serving, step, be_overtaken)
    try:
        serving.prepare(slow)
    except ConfigurationError as error:
        refused.append(str(error))
    (message,) = refused
    assert _REFUSAL.fullmatch(f"Error: {message}\n"), message
    registry = open_registry(url)
    with registry.view() as view:
        actions = [event.action for event in list_events(view)]
    registry.close()
    assert sorted(actions) == ["feed_key.created", "service.started", "signing_key.published"]


def test_empty_database_is_to_be_upgraded_first(tmp_path: Path) -> None:
    """A node says so, and makes nothing, not even a master key."""
    with _starting(_environment(new_database_url(), tmp_path / "data"), free_port()) as process:
        _, error = process.communicate(timeout=20)
    assert (process.returncode, error) == (1, "Error: the database holds no registry yet: run sensos-auth db upgrade\n")
    assert not (tmp_path / "data").exists()
