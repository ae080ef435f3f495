"""The command line: ``sensos-auth``, for operators and for who tries the product.

Each group of commands is a module here; this one only knows their names, so that ``--help`` stays quick.
"""

import click

from sensos_auth import __version__
from sensos_auth.cli.lazy_group import LazyGroup

_COMMANDS = {
    "quickstart": ("sensos_auth.cli.quickstart:quickstart", "Try the service, with an example application."),
    "serve": ("sensos_auth.cli.serve:serve", "Run the service in production."),
    "tenants": ("sensos_auth.cli.tenants:tenants", "Tenants: create, list, change, disable, enable, delete."),
    "applications": ("sensos_auth.cli.applications:applications", "Applications: create, change, disable, delete, …."),
    "secrets": ("sensos_auth.cli.secrets:secrets", "Application secrets: create, rotate, list, revoke, …."),
    "keys": ("sensos_auth.cli.keys:keys", "Signing keys: list, rotate, revoke; and the master key."),
    "tokens": ("sensos_auth.cli.tokens:tokens", "Access tokens: inspect, revoke."),
    "token": ("sensos_auth.cli.token:token", "For integrators: print a valid access token."),
    "call": ("sensos_auth.cli.call:call", "For integrators: call the API, and print what it answers."),
    "probe": ("sensos_auth.cli.probe:probe", "Send bad requests to a service of yours, and report what got through."),
    "verifiers": ("sensos_auth.cli.verifiers:verifiers", "Verifiers that follow the revocation feed: list."),
    "usage": ("sensos_auth.cli.usage:usage", "Tokens issued and refused; who fetches one for each request."),
    "audit": ("sensos_auth.cli.audit:audit", "The audit trail: list, export, verify."),
    "db": ("sensos_auth.cli.db:db", "The registry's database: upgrade its schema, copy it to PostgreSQL."),
    "backup": ("sensos_auth.cli.backup:backup", "Copy the registry into a file, while the service runs."),
    "restore": ("sensos_auth.cli.restore:restore", "Put a backup in the registry's place."),
    "issuing": ("sensos_auth.cli.issuing:issuing", "Issue tokens again after a restore: unlock."),
    "doctor": ("sensos_auth.cli.doctor:doctor", "Say what is wrong with this configuration, and how to mend it."),
}

_EXAMPLE = """\b
Example, from nothing to an application's credentials:
  sensos-auth tenants create --name "Blue Motors"
  sensos-auth applications create --tenant ten_… --name "Fleet sync"

\b
Exit status: 0 done, 1 refused or failed, 2 wrong usage.
"""


@click.group("sensos-auth", cls=LazyGroup, commands_at=_COMMANDS, epilog=_EXAMPLE)
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Machine-to-machine authentication for a multi-tenant API.

    Every command works on the registry that SENSOS_AUTH_DATABASE_URL names, else on the one in SENSOS_AUTH_DATA_DIR,
    also while `serve` runs on it.
    """
