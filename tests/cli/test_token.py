"""``sensos-auth token``, in scripts: several processes, a cache that is nobody else's business, an outage."""

import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sensos_auth.cli import main
from sensos_auth.testing import Fault, TokenServer, token_server

COMMAND = str(Path(sys.executable).with_name("sensos-auth"))


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """Run a token server."""
    with token_server() as running:
        yield running


class Terminal:
    """Runs commands with a home folder of its own, and the environment of an application of the server."""

    def __init__(self, home: Path, server: TokenServer) -> None:
        self.home = home
        self.server = server

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the commands."""
        return {"XDG_CACHE_HOME": str(self.home / "cache"), "HOME": str(self.home)} | self.server.environment

    @property
    def cache(self) -> Path:
        """Return the file in which the token is kept."""
        (file,) = (self.home / "cache" / "sensos-auth").glob("*.json")
        return file

    def run(self, *arguments: str, **environment: str | None) -> Result:
        """Run one command in this process."""
        return CliRunner(env=self.environment | environment).invoke(main, list(arguments))

    def run_program(self, program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a Python program in a process of its own."""
        environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"} | (environment or self.environment)
        return subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )

    def token(self, *options: str) -> str:
        """Return what ``token`` prints; it must succeed."""
        result = self.run("token", *options)
        assert result.exit_code == 0, result.output
        return result.stdout.removesuffix("\n")


@pytest.fixture
def terminal(tmp_path: Path, server: TokenServer) -> Terminal:
    """Return a terminal of a new user."""
    return Terminal(tmp_path, server)


def test_the_token_is_kept(terminal: Terminal) -> None:
    """One request for many runs; ``--no-cache`` gets its own and leaves the kept one alone."""
    first = terminal.token()
    assert terminal.token() == first
    assert terminal.server.token_requests == 1
    assert terminal.token("--no-cache") != first
    assert terminal.token() == first
    assert first.count(".") == 2


def test_other_forms(terminal: Terminal) -> None:
    """The header for curl, and JSON with the seconds that are left."""
    token = terminal.token()
    assert terminal.token("--header") == f"Authorization: Bearer {token}"
    document = json.loads(terminal.token("--json"))
    assert document["accessToken"] == token
    assert 35_990 <= document["expiresIn"] <= 36_000
    assert terminal.run("token", "--json", "--header").exit_code == 2


def test_m17_the_file_is_the_users_alone(terminal: Terminal) -> None:
    """And one that is not is not believed."""
    token = terminal.token()
    assert stat.S_IMODE(terminal.cache.stat().st_mode) == 0o600
    assert stat.S_IMODE(terminal.cache.parent.stat().st_mode) == 0o700
    assert terminal.server.secret not in terminal.cache.read_text()
    terminal.cache.chmod(0o644)
    assert terminal.token() != token
    assert stat.S_IMODE(terminal.cache.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"bootId": "another"},
        {"issuedAtWall": time.time() - 40_000},
        {"issuedAtWall": time.time() + 3600},
        {"issuedAt": 1e12},
        {"expiresAt": 0},
        {"format": 2},
        {"accessToken": None, "staleAt": "x"},
    ],
    ids=["reboot", "wall clock says expired", "wall clock set back", "future", "ended", "format", "nonsense"],
)
def test_a_kept_token_that_cannot_be_trusted_is_replaced(terminal: Terminal, change: dict[str, object]) -> None:
    """Both clocks must call it good, in the same boot of the machine."""
    terminal.token()
    terminal.cache.write_text(json.dumps(json.loads(terminal.cache.read_text()) | change))
    terminal.token()
    assert terminal.server.token_requests == 2


def test_a_broken_file_and_a_link_are_replaced(terminal: Terminal, tmp_path: Path) -> None:
    """Whatever is there."""
    terminal.token()
    terminal.cache.write_bytes(b"\x00{")
    token = terminal.token()
    elsewhere = tmp_path / "elsewhere"
    file = terminal.cache.rename(elsewhere)
    name = next((terminal.home / "cache" / "sensos-auth").glob("*.lock")).with_suffix(".json")
    name.symlink_to(file)
    assert terminal.token() != token
    assert not name.is_symlink()


def test_other_credentials_do_not_meet_the_token(terminal: Terminal) -> None:
    """A new secret gets a new token: the old one may have been revoked with its secret."""
    first = terminal.token()
    terminal.server.rotate_secret(keep_old=True)
    assert terminal.token() != first


def test_a_stale_token_is_renewed_and_serves_in_an_outage(terminal: Terminal) -> None:
    """With a word on stderr, and none on stdout that a script would take for a part of it."""
    token = terminal.token()
    kept = json.loads(terminal.cache.read_text())
    terminal.cache.write_text(json.dumps(kept | {"staleAt": kept["issuedAt"]}))
    terminal.server.fail_always(Fault(status=400))
    refused = terminal.run("token")
    assert (refused.exit_code, refused.stdout) == (1, "")
    terminal.server.fail_always(Fault(status=503, headers={"Retry-After": "60"}))
    result = terminal.run("token")
    assert (result.exit_code, result.stdout) == (0, f"{token}\n")
    assert "still serves" in result.stderr
    terminal.server.fail_always(None)
    assert terminal.token() != token


def test_a_stale_token_serves_while_another_process_renews_it(terminal: Terminal) -> None:
    """Nobody queues for a token service that is down: twelve scripts at once would wait for half a minute."""
    token = terminal.token()
    kept = json.loads(terminal.cache.read_text())
    terminal.cache.write_text(json.dumps(kept | {"staleAt": kept["issuedAt"]}))
    with terminal.cache.with_suffix(".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert terminal.token() == token
    assert terminal.server.token_requests == 1
    assert terminal.token() != token


def test_a_user_without_a_home_folder(terminal: Terminal) -> None:
    """As in a container that runs with a number for a user: the token is printed, and kept nowhere."""
    program = (
        "import os, pwd\n"
        "from sensos_auth.cli import main\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody\n"
        "main(['token'])\n"
    )
    run = terminal.run_program(program, **terminal.server.environment)
    assert (run.returncode, run.stdout.count(".")) == (0, 2), run.stderr
    assert "not kept for the next time: there is no home folder" in run.stderr
    assert not list(terminal.home.iterdir())


def test_a_full_disk_keeps_no_part_of_a_token(terminal: Terminal) -> None:
    """What could not be written whole does not stay."""
    program = (
        "import resource, sys\n"
        "sys.dont_write_bytecode = True\n"  # or the limit cuts off what Python keeps of modules, for everybody
        "from sensos_auth.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))\n"
        "main(['token'])\n"
    )
    run = terminal.run_program(program)
    assert (run.returncode, run.stdout.count(".")) == (0, 2), run.stderr
    assert "not kept" in run.stderr
    assert [file.suffix for file in (terminal.home / "cache" / "sensos-auth").iterdir()] == [".lock"]


def test_nowhere_to_keep_it(terminal: Terminal) -> None:
    """The token is printed all the same."""
    (terminal.home / "cache").write_text("a file")
    result = terminal.run("token")
    assert (result.exit_code, result.stdout.count(".")) == (0, 2)
    assert "not kept" in result.stderr


def test_a_token_that_cannot_be_kept_is_asked_for_once(terminal: Terminal) -> None:
    """What stands in the way of the file costs no second request."""
    assert terminal.run("token").exit_code == 0
    kept = terminal.cache
    kept.unlink()
    kept.mkdir()
    result = terminal.run("token")
    assert (result.exit_code, result.stdout.count(".")) == (0, 2)
    assert "not kept" in result.stderr
    assert terminal.server.token_requests == 2


def test_what_is_missing_is_said(terminal: Terminal) -> None:
    """By name, with status 1; a refusal names where to look and shows no value."""
    missing = terminal.run("token", SENSOS_APPLICATION_SECRET=None, SENSOS_TENANT_ID=None)
    assert missing.exit_code == 1
    assert "set SENSOS_TENANT_ID and SENSOS_APPLICATION_SECRET" in missing.stderr
    refused = terminal.run("token", SENSOS_APPLICATION_SECRET=terminal.server.secret[:-1] + "_")
    assert refused.exit_code == 1
    assert "SENSOS_APPLICATION_SECRET, whose checksum is wrong" in refused.stderr
    assert terminal.server.secret[:-1] not in refused.output


def test_what_goes_wrong_is_said_once(terminal: Terminal) -> None:
    """In the command's words, and not by the library's logger as well."""
    terminal.server.fail_next(Fault(status=404))
    run = terminal.run_program("from sensos_auth.cli import main\nmain(['token'])")
    assert (run.returncode, run.stderr.count("\n")) == (1, 1), run.stderr
    assert "(status 404)" in run.stderr


def test_secret_from_a_file(terminal: Terminal, tmp_path: Path) -> None:
    """As orchestrators hand it over."""
    (tmp_path / "secret").write_text(f"{terminal.server.secret}\n")
    result = terminal.run(
        "token", SENSOS_APPLICATION_SECRET=None, SENSOS_APPLICATION_SECRET_FILE=str(tmp_path / "secret")
    )
    assert result.exit_code == 0


@pytest.mark.slow
@pytest.mark.waits
def test_many_processes_make_one_request(terminal: Terminal) -> None:
    """Ten scripts start at once without a kept token: one asks, the others wait for it."""
    terminal.server.fail_next(Fault(delay=0.5))

    def run(_: int) -> str:
        environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"} | terminal.environment
        return subprocess.run([COMMAND, "token"], env=environment, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(run, range(10)))) == 1
    assert terminal.server.token_requests == 1


def test_neither_service_nor_database_is_imported(terminal: Terminal) -> None:
    """What an integrator installs is enough."""
    program = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'aiosql','apsw','fastapi','granian','psycopg','structlog','tabulate'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from sensos_auth.cli import main\n"
        "main(['call', 'GET', '/v1/endpoint'])\n"
    )
    run = terminal.run_program(program)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["applicationId"] == terminal.server.application_id
