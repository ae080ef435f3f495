"""The root of the command line: imports a command when it is called, and turns every failure into one sentence."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from sensos_auth.cli.failing import failures_in_one_sentence


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called.

    ``commands_at`` maps a command's name to where it stands (``module:attribute``) and what the group's help says
    of it, in the order of the help.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401 - click's own parameters
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, in the order of the help."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command; raises ClickException when an optional package that it needs is not installed."""
        if cmd_name not in self._commands_at:
            return None
        module, _, attribute = self._commands_at[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package == "sensos_auth":
                raise
            raise click.ClickException(
                f"the command {cmd_name} needs the package {package}, which comes with the service: "
                "run pip install 'sensos-auth[server]'"
            ) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write what each command does, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, description) for name, (_, description) in self._commands_at.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run the command."""
        with failures_in_one_sentence():
            return super().invoke(ctx)
