"""Asking before something is taken away for good."""

import sys

import click

yes_option = click.option("--yes", is_flag=True, help="Don't ask. Needed where nobody can be asked, as in scripts.")


def confirm(question: str, consequences: str, *, yes: bool) -> None:
    """Tell the consequences and ask, unless ``yes``; raises UsageError where there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{consequences} There is nobody to ask: add --yes")
    click.echo(consequences, err=True)
    click.confirm(question, abort=True, err=True)
