"""What operations of the management API are tried on, by what their declaration says and nothing else."""

import re
from dataclasses import dataclass

import httpx2
import pytest

from sensos_auth.issuing import key_rotation
from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.model.signing_key import KeyState, newest_key
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.operations import Operation
from tests.running_service import ExampleApplication, RunningService
from tests.server.management.asking import UNKNOWN, Asker

FAR_AWAY = "2040-01-01T00:00:00Z"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.operation_id)


@dataclass(frozen=True)
class Things:
    """What an operation is asked to act on: all of one tenant, made for one request."""

    tenant_id: str
    application: ExampleApplication
    access_token: str
    kid: str

    def path(self, operation: Operation) -> str:
        """Return the operation's path to these things."""
        named = {
            "tenantId": self.tenant_id,
            "applicationId": self.application.application_id,
            "secretId": self.application.secret_id,
            "kid": self.kid,
        }
        return _PLACEHOLDER.sub(lambda match: named[match[1]], operation.path)

    def body(self, operation: Operation) -> dict[str, object] | None:
        """Return the body that the description shows, about these things."""
        if not isinstance(operation.body_example, dict):
            return None
        named = {"tenantId": self.tenant_id, "accessToken": self.access_token, "expiresAt": FAR_AWAY}
        return {name: named.get(name, value) for name, value in operation.body_example.items()}


def new_things(service: RunningService, tenant_id: str = "") -> Things:
    """Make things for one request, of a tenant of their own unless one is named."""
    application = service.new_application(tenant_id=tenant_id)
    return Things(application.tenant_id, application, service.token(application), upcoming_key(service))


def upcoming_key(service: RunningService) -> str:
    """Return the ID of a signing key that signs nothing yet: every token here is signed by the one before it."""
    with service.registry.view() as view:
        newest = newest_key(list_signing_keys(view))
        is_upcoming = newest is not None and newest.state(view.now) is KeyState.UPCOMING
    if newest is None or not is_upcoming:
        master_key = obtain_master_key(service.registry, service.environment)
        newest = key_rotation.rotate(service.registry, master_key, "ES256", actor="test", immediately=False)
    return newest.kid


def make_room(service: RunningService, operation: Operation) -> None:
    """Let a rotation be possible: none may be under way."""
    if operation.path.endswith("/signing-keys/rotate"):
        master_key = obtain_master_key(service.registry, service.environment)
        key_rotation.revoke(service.registry, master_key, "ES256", upcoming_key(service), actor="test")


def ask(caller: Asker, operation: Operation, things: Things) -> httpx2.Response:
    """Return the answer to the operation on these things."""
    make_room(caller.service, operation)
    return caller.ask(operation.method, things.path(operation), json=things.body(operation))


def right_scope(operation: Operation) -> str:
    """Return what the operation declares, and what the body that the description shows gives away."""
    body = operation.body_example if isinstance(operation.body_example, dict) else {}
    return f"{operation.scope} {body.get('scope') or ''}".strip()


def names_a_thing(operation: Operation) -> bool:
    """Tell whether the request names something that belongs to somebody."""
    body = operation.body_example if isinstance(operation.body_example, dict) else {}
    return "{" in operation.path or bool({"tenantId", "accessToken"} & set(body))


def nothing_like(things: Things) -> Things:
    """Return such things as there never were."""
    unknown = ExampleApplication(f"ten_{UNKNOWN}", f"app_{UNKNOWN}", f"sec_{UNKNOWN}", "")
    return Things(unknown.tenant_id, unknown, things.access_token[:-4] + "AAAA", "unknown")
