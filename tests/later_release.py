"""Releases after this one: this one, with migrations after its last and with another version, in other folders."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sensos_auth
from sensos_auth.registry.migrating import known_migrations
from tests.running_service import COMMAND

VERSION: Final = "99.0.0"
HEAD: Final = known_migrations()[-1].number
# What a release may do while nodes of the one before are at work (CONTRIBUTING.md, "Migrations") …
EXPANDS: Final = """
    ALTER TABLE clock ADD COLUMN later_version BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE tenants ADD COLUMN note TEXT;
    ALTER TABLE applications ADD COLUMN note TEXT;
    ALTER TABLE secrets ADD COLUMN kind TEXT NOT NULL DEFAULT 'secret';
    ALTER TABLE signing_keys ADD COLUMN note TEXT;
    ALTER TABLE revocations ADD COLUMN note TEXT;
    ALTER TABLE audit_events ADD COLUMN note TEXT;
    CREATE INDEX applications_by_note ON applications (note);
    CREATE TABLE later (a BIGINT);
"""
# … and the one after it, which removes what nothing reads any more.
CONTRACTS: Final = f"UPDATE clock SET oldest_program = {HEAD + 1}; DROP TABLE later;"  # noqa: S608 - a number


@dataclass(frozen=True)
class LaterRelease:
    """With ``environment``, the installed command is the later release: it imports the package from its folder."""

    environment: dict[str, str]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run one of its commands."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
        return subprocess.run(
            [COMMAND, *arguments],
            env=ours | self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )

    def print_json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON document
        """Run one of its commands, which must succeed, and return what it prints."""
        ended = self.run(*arguments, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def later_release(folder: Path, *scripts: str, **environment: str) -> LaterRelease:
    """Make a release with these migrations, in a folder that is not there yet. ``environment`` is what it runs with."""
    package = shutil.copytree(
        Path(sensos_auth.__file__).parent, folder / "sensos_auth", ignore=shutil.ignore_patterns("__pycache__")
    )
    for number, script in enumerate(scripts, start=HEAD + 1):
        (package / "registry" / "migrations" / f"{number:04}_later.sql").write_text(script)
    module = package / "__init__.py"
    module.write_text(re.sub(r'__version__ = "[^"]+"', f'__version__ = "{VERSION}"', module.read_text()))
    release = LaterRelease({**environment, "PYTHONPATH": str(folder)})
    assert release.run("--version").stdout == f"sensos-auth {VERSION}\n"
    return release
