"""The pytest plugin, in a run of its own as an integrator would have it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TESTS = """
import os
import sys

from sensos_auth.client import TokenSource


def test_nothing_was_imported_before_it_was_needed():
    assert "sensos_auth.testing.issuer" not in sys.modules


def test_an_application(sensos_environment, sensos_token_server):
    assert os.environ["SENSOS_BASE_URL"] == sensos_token_server.base_url
    assert TokenSource.from_env().token()
    assert sensos_token_server.token_requests == 1


def test_a_service(sensos_issuer):
    assert sensos_issuer.token(scope="devices:read").count(".") == 2


def test_the_environment_is_clean_again():
    assert "SENSOS_BASE_URL" not in os.environ
"""


def install(folder: Path) -> None:
    """Write what an installed package says of itself, with the entry points of ours."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        entries = tomllib.load(file)["project"]["entry-points"]["pytest11"]
    about = folder / "sensos_auth_as_installed-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sensos-auth-as-installed\nVersion: 1\n")
    lines = [f"{name} = {value}\n" for name, value in entries.items()]
    (about / "entry_points.txt").write_text("[pytest11]\n" + "".join(lines))


@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
def test_fixtures(tmp_path: Path, named: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Found by itself or named with -p: each works, is undone after its test, and brings along nothing else."""
    install(tmp_path)
    (tmp_path / "test_theirs.py").write_text(TESTS)
    plugin = ["-p", "sensos_auth.testing.plugin"] if named else []
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=50
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 passed" in run.stdout
