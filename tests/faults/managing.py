"""A process that manages a registry without end: ``python -m tests.faults.managing FILE SEED``.

After each commit, and not before, it acknowledges the change: a line of JSON with its version, action and subject.
"""

import json
import os
import random
import sys
from pathlib import Path

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application, disable_application, enable_application
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant

MASTER_KEY = MasterKey(bytes(range(32)))


class Manager:
    """Does one random change after the other, and says what each has left."""

    def __init__(self, registry: Registry, chance: random.Random) -> None:
        """Begin with what this process makes; earlier rounds' things are left as they are."""
        self.registry = registry
        self.chance = chance
        self.tenants: list[str] = []
        self.applications: list[str] = []
        self.secrets: list[str] = []

    def run(self) -> None:
        """Go on until killed."""
        self.create_tenant()
        self.create_application()
        actions = [
            (self.create_tenant, 2),
            (self.create_application, 6),
            (self.create_secret, 4),
            (self.revoke_secret, 3),
            (self.switch_application, 6),
            (self.switch_tenant, 3),
            (self.rotate_keys, 2),
            (self.revoke_key, 1),
        ]
        while True:
            action = self.chance.choices([action for action, _ in actions], [weight for _, weight in actions])[0]
            action()

    def acknowledge(self, action: str, subject: str) -> None:
        """Tell the parent, past every buffer of this process; nobody else writes, so the last version is this one's."""
        with self.registry.view() as view:
            version, *_ = view.statements.clock(view.connection)
        os.write(sys.stdout.fileno(), json.dumps([version, action, subject]).encode() + b"\n")

    def create_tenant(self) -> None:
        """Make a tenant."""
        with self.registry.change("manager") as change:
            tenant = create_tenant(change, name="Acme")
        self.tenants.append(tenant.tenant_id)
        self.acknowledge("tenant.created", tenant.tenant_id)

    def create_application(self) -> None:
        """Make an application with its first secret, in one change."""
        with self.registry.change("manager") as change:
            application = create_application(change, tenant_id=self.chance.choice(self.tenants), name="Pump")
            secret = create_secret(change, application_id=application.application_id)
        self.applications.append(application.application_id)
        self.secrets.append(secret.kept.secret_id)
        self.acknowledge("application.created", application.application_id)
        self.acknowledge("secret.created", secret.kept.secret_id)

    def create_secret(self) -> None:
        """Make one more secret."""
        with self.registry.change("manager") as change:
            secret = create_secret(change, application_id=self.chance.choice(self.applications))
        self.secrets.append(secret.kept.secret_id)
        self.acknowledge("secret.created", secret.kept.secret_id)

    def revoke_secret(self) -> None:
        """Revoke a secret."""
        secret_id = self.chance.choice(self.secrets)
        with self.registry.change("manager") as change:
            revoke_secret(change, secret_id)
        self.acknowledge("secret.revoked", secret_id)

    def switch_application(self) -> None:
        """Disable or enable an application."""
        application_id, off = self.chance.choice(self.applications), self.chance.random() < 0.5
        with self.registry.change("manager") as change:
            (disable_application if off else enable_application)(change, application_id)
        self.acknowledge("application.disabled" if off else "application.enabled", application_id)

    def switch_tenant(self) -> None:
        """Disable or enable a tenant."""
        tenant_id, off = self.chance.choice(self.tenants), self.chance.random() < 0.5
        with self.registry.change("manager") as change:
            (disable_tenant if off else enable_tenant)(change, tenant_id)
        self.acknowledge("tenant.disabled" if off else "tenant.enabled", tenant_id)

    def rotate_keys(self) -> None:
        """Rotate immediately."""
        key = rotate(self.registry, MASTER_KEY, "ES256", actor="manager", immediately=True)
        self.acknowledge("signing_key.published", key.kid)

    def revoke_key(self) -> None:
        """Revoke any key."""
        with self.registry.view() as view:
            kids = [key.kid for key in list_signing_keys(view) if key.revoked_at is None]
        kid = self.chance.choice(kids)
        revoke(self.registry, MASTER_KEY, "ES256", kid, actor="manager")
        self.acknowledge("signing_key.revoked", kid)


if __name__ == "__main__":
    opened = open_registry(f"sqlite:///{Path(sys.argv[1]).resolve()}")
    keep_keys_current(opened, MASTER_KEY, "ES256")
    Manager(opened, random.Random(int(sys.argv[2]))).run()  # noqa: S311 - a test's choices, repeatable by their seed
