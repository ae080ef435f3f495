"""A process that changes a registry until it is killed, and says on standard output what it begins and what is done.

    python -m tests.faults.registry_writer FOLDER SEED

Each line is JSON: ``{"begin": <ID that it is about>}`` before a transaction, ``{"done": <what>, …}`` after its commit.
"""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import revoke, rotate
from sensos_auth.model.signing_key import active_key
from sensos_auth.registry import open_registry
from sensos_auth.registry.applications import create_application, disable_application, enable_application
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.tenants import create_tenant, disable_tenant

_ACTOR = "test"


def _say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class _Writer:
    def __init__(self, folder: Path, seed: int) -> None:
        self._registry = open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")
        self._master_key = obtain_master_key(self._registry, {"SENSOS_AUTH_DATA_DIR": str(folder)})
        self._random = random.Random(seed)  # noqa: S311 - repeatable rounds
        self._tenants: list[str] = []
        self._applications: list[str] = []
        self._secrets: list[str] = []

    def run(self) -> None:
        self._create_tenant()
        self._create_application()
        steps: list[Callable[[], None]] = [
            *[self._create_application] * 8,
            *[self._create_secret] * 4,
            *[self._disable_application] * 3,
            *[self._enable_application] * 1,
            *[self._revoke_secret] * 3,
            *[self._create_tenant] * 2,
            self._disable_tenant,
            self._rotate,
            self._revoke_key,
        ]
        while True:
            self._random.choice(steps)()

    def _create_tenant(self) -> None:
        _say(begin="")
        with self._registry.change(_ACTOR) as change:
            tenant = create_tenant(change, name="T")
        _say(done="tenant", tenant=tenant.tenant_id)
        self._tenants.append(tenant.tenant_id)

    def _create_application(self) -> None:
        tenant_id = self._random.choice(self._tenants)
        _say(begin="")
        with self._registry.change(_ACTOR) as change:
            application = create_application(change, tenant_id=tenant_id, name="A")
            secret, shown = create_secret(change, application_id=application.application_id)
        _say(
            done="application",
            tenant=tenant_id,
            application=application.application_id,
            secret=secret.secret_id,
            shown=shown,
        )
        self._applications.append(application.application_id)
        self._secrets.append(secret.secret_id)

    def _create_secret(self) -> None:
        application_id = self._random.choice(self._applications)
        _say(begin="")
        with self._registry.change(_ACTOR) as change:
            secret, shown = create_secret(change, application_id=application_id)
        _say(done="secret", application=application_id, secret=secret.secret_id, shown=shown)
        self._secrets.append(secret.secret_id)

    def _disable_application(self) -> None:
        self._set(disable_application, "disabled", self._random.choice(self._applications))

    def _enable_application(self) -> None:
        self._set(enable_application, "enabled", self._random.choice(self._applications))

    def _revoke_secret(self) -> None:
        self._set(revoke_secret, "revoked", self._random.choice(self._secrets))

    def _disable_tenant(self) -> None:
        self._set(disable_tenant, "disabled", self._random.choice(self._tenants))

    def _set(self, action: Callable[..., Any], done: str, subject: str) -> None:
        _say(begin=subject)
        with self._registry.change(_ACTOR) as change:
            action(change, subject)
        _say(done=done, subject=subject)

    def _rotate(self) -> None:
        _say(begin="")
        rotate(self._registry, self._master_key, "ES256", actor=_ACTOR, immediately=True)
        _say(done="rotated")

    def _revoke_key(self) -> None:
        with self._registry.view() as view:
            active = active_key(list_signing_keys(view), view.now)
        assert active is not None
        _say(begin=active.kid)
        revoke(self._registry, self._master_key, "ES256", active.kid, actor=_ACTOR)
        _say(done="key-revoked", kid=active.kid)


if __name__ == "__main__":
    _Writer(Path(sys.argv[1]), int(sys.argv[2])).run()
