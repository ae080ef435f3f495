"""What the files in deploy/ declare, as the tests look at it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from sensos_auth.cli import main
from sensos_auth.cli.checks.finding import Status
from sensos_auth.cli.checks.settings import _VARIABLES, check_settings
from tests.docs.pages import ROOT

DEPLOY = ROOT / "deploy"


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a YAML file."""
    loaded: list[dict[str, Any]] = list(yaml.safe_load_all(path.read_text("utf-8")))
    return loaded


def check_arguments(arguments: Sequence[str]) -> None:
    """Let the program parse the arguments of a ``sensos-auth`` command, without running it; raises click's errors."""
    command: click.Command = main
    rest = list(arguments)
    while isinstance(command, click.Group):
        _, found, rest = command.resolve_command(click.Context(command), rest)
        assert found is not None, arguments
        command = found
    command.make_context(command.name, rest)


def check_environment(variables: Mapping[str, str]) -> None:
    """Let doctor look at the settings: each is known, and good."""
    assert set(variables) <= set(_VARIABLES)
    bad = [finding for finding in check_settings(variables) if finding.status is not Status.OK]
    assert not bad
