"""``sensos-auth doctor``: what is wrong with this configuration, and how to mend it."""

import os
from collections.abc import Iterator, Mapping

import click

from sensos_auth.cli.checks.finding import Finding, Status, ok, wrong
from sensos_auth.cli.checks.registry_content import check_registry_content
from sensos_auth.cli.checks.registry_file import check_registry_file
from sensos_auth.cli.checks.settings import check_settings
from sensos_auth.cli.failing import without_confidential
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import print_json
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.location import database_url
from sensos_auth.registry.opening import NEEDS_PSYCOPG, is_postgresql, sqlite_file

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.WRONG: "red"}


@click.command(epilog=example("doctor", "doctor --json"))
@json_option
def doctor(*, as_json: bool) -> None:
    """Check this configuration, and say how to mend what is wrong with it.

    Nothing is changed or made. Run it as the user, and with the environment, that `serve` runs with. Exit status 1 if
    anything is wrong; warnings alone leave it 0.
    """
    findings = list(_examine(os.environ))
    worst = max((finding.status for finding in findings), key=list(Status).index)
    if as_json:
        checks = [{"check": each.check, "status": each.status, "message": each.message} for each in findings]
        print_json({"status": worst, "checks": checks})
    else:
        for each in findings:
            status = click.style(f"{each.status:8}", fg=_COLOURS[each.status])
            click.echo(f"{status}{each.check:12} {without_confidential(each.message)}")
    if worst is Status.WRONG:
        click.get_current_context().exit(1)


def _examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    yield from check_settings(environment)
    try:
        url = database_url(environment)
        if is_postgresql(url):
            yield from _on_postgresql(url, environment)
            return
        path = sqlite_file(url)
    except ConfigurationError as error:
        yield wrong("database", error)
        return
    yield ok("database", f"sqlite:///{path}")
    yield from check_registry_file(path)
    if os.access(path, os.R_OK) and path.is_file():
        yield from check_registry_content(path, environment)


def _on_postgresql(url: str, environment: Mapping[str, str]) -> Iterator[Finding]:
    try:
        from sensos_auth.cli.checks.postgresql_server import check_postgresql  # noqa: PLC0415 - needs psycopg
    except ImportError as error:
        if (error.name or "").startswith("sensos_auth"):
            raise
        yield wrong("database", NEEDS_PSYCOPG)
        return
    yield from check_postgresql(url, environment)
