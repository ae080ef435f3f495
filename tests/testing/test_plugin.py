"""The pytest plugin, in a run of its own as an integrator would have it."""

import subprocess
import sys
from pathlib import Path

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


def test_fixtures(tmp_path: Path) -> None:
    """Each works, is undone after its test, and brings nothing along that was not asked for."""
    (tmp_path / "test_theirs.py").write_text(TESTS)
    # Found by its entry point where the package was installed anew; named here for where it was not.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "sensos_auth.testing.plugin", "-p", "no:cacheprovider"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "4 passed" in run.stdout
