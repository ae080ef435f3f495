"""Runs commands in this process, as click's own tests do, each test in a data folder of its own."""

import json
import re
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from click.testing import CliRunner, Result

from sensos_auth.cli import main
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.audit import list_events

UNSET = (
    "SENSOS_AUTH_DATABASE_URL",
    "SENSOS_AUTH_ISSUER",
    "SENSOS_AUTH_AUDIENCE",
    "SENSOS_AUTH_MASTER_KEY",
    "SENSOS_AUTH_MASTER_KEY_FILE",
    "SENSOS_AUTH_TOKEN_LIFETIME",
    "SENSOS_AUTH_SIGNING_ALGORITHM",
    "SENSOS_AUTH_WEBHOOK_URL",
    "SENSOS_AUTH_WEBHOOK_SECRET",
    "SENSOS_AUTH_USAGE",
    "SENSOS_AUTH_APPLICATION_LIMIT",
    "SENSOS_AUTH_ADDRESS_LIMIT",
    "SENSOS_AUTH_TRUSTED_PROXIES",
    "SENSOS_AUTH_LIMITS_URL",
    "SENSOS_AUTH_LIMITS_URL_FILE",
)

# A round through the commands; the rest of their tests show nothing that the engine could change.
on_both_engines = pytest.mark.engines("sqlite", "postgresql")


@dataclass
class CommandLine:
    """The command line on one data folder; ``environment`` is what a test adds."""

    data_folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def registry_file(self) -> Path:
        """Return where the registry is, on SQLite."""
        return self.data_folder / "registry.sqlite3"

    @property
    def registry_url(self) -> str:
        """Return the URL of the registry, on either engine."""
        return self.environment.get("SENSOS_AUTH_DATABASE_URL", f"sqlite:///{self.registry_file}")

    def open_registry(self) -> Registry:
        """Return the registry, opened for the test itself."""
        return open_registry(self.registry_url)

    @property
    def master_key_file(self) -> Path:
        """Return where the master key is."""
        return self.data_folder / "master.key"

    def run(self, *arguments: str, stdin: str = "") -> Result:
        """Run one command, whatever comes of it."""
        environment: dict[str, str | None] = dict.fromkeys(UNSET)
        environment |= {"SENSOS_AUTH_DATA_DIR": str(self.data_folder)} | self.environment
        return CliRunner(env=environment).invoke(main, list(arguments), input=stdin)

    def print_json(self, *arguments: str, stdin: str = "") -> Any:  # noqa: ANN401 - any JSON document
        """Run one command with ``--json``, which must succeed, and return what it prints."""
        result = self.run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def new_tenant(self, name: str = "Blue Motors") -> str:
        """Make a tenant and return its ID."""
        return str(self.print_json("tenants", "create", "--name", name)["tenantId"])

    def new_application(self, tenant_id: str = "", **options: str) -> Any:  # noqa: ANN401 - a JSON object
        """Make an application and return what is printed."""
        pairs = [text for name, value in options.items() for text in (f"--{name}", value)]
        tenant_id = tenant_id or self.new_tenant()
        return self.print_json("applications", "create", "--tenant", tenant_id, "--name", "Fleet sync", *pairs)

    def change_registry(self, statement: str, **values: str | int) -> None:
        """Change the registry behind the program's back; the statement has ``:name`` for a value."""
        if self.registry_url.startswith("sqlite:"):
            with closing(apsw.Connection(str(self.registry_file))) as connection:
                connection.execute(statement, values)
            return
        with psycopg.connect(self.registry_url) as changed:
            changed.execute(re.sub(r":(\w+)", r"%(\1)s", statement).encode(), values)

    def audit_trail(self) -> list[tuple[str, str, str]]:
        """Return actor, action and subject of every audit event."""
        with closing(self.open_registry()) as registry, registry.view() as view:
            return [(event.actor, event.action, event.subject) for event in list_events(view)]
