"""Callers of the management API, and what they manage: tenants of their own, on a running service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from sensos_auth.registry.tenants import create_tenant
from sensos_auth.server.management.authority import OPERATOR
from tests.running_service import ExampleApplication, RunningService

# Everything that a tenant's administrator can be given.
ADMINISTRATOR = (
    "auth:tenants:read auth:tenants:write auth:applications:read auth:applications:write auth:secrets:write "
    "auth:keys:read auth:keys:write auth:revocations:write auth:audit:read auth:usage:read auth:verifiers:read"
)
EVERYTHING = f"{ADMINISTRATOR} {OPERATOR}"
UNKNOWN = "a" * 26


@dataclass(frozen=True)
class Asker:
    """An application that calls the management API with its access token."""

    service: RunningService
    application: ExampleApplication
    token: str

    @property
    def tenant_id(self) -> str:
        """Return its tenant."""
        return self.application.tenant_id

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> httpx2.Response:  # noqa: ANN401 - as httpx2
        """Return the answer to a request of its."""
        bearer = {"Authorization": f"Bearer {self.token}"}
        return self.service.client.request(method, path, headers=bearer | (headers or {}), **options)

    def get(self, path: str, **options: Any) -> Any:  # noqa: ANN401 - whatever JSON it is
        """Return what is read there; fails unless it is answered."""
        answer = self.ask("GET", path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make(self, path: str, body: Mapping[str, object], key: str = "") -> Any:  # noqa: ANN401 - whatever JSON it is
        """Return what is made there, with an idempotency key if one is given; fails unless it is made."""
        answer = self.ask("POST", path, json=body, headers={"Idempotency-Key": key} if key else {})
        assert answer.status_code == 201, answer.text
        return answer.json()


def new_asker(service: RunningService, scope: str, *, tenant_id: str = "") -> Asker:
    """Return a caller with these scopes, of a tenant of its own unless one is named."""
    application = service.new_application(scope=scope, tenant_id=tenant_id)
    return Asker(service, application, service.token(application))


def new_tenant(service: RunningService, name: str = "Blue Motors") -> str:
    """Make a tenant, and return its ID."""
    with service.registry.change("test") as change:
        return create_tenant(change, name=name).tenant_id


def without_request_id(answer: httpx2.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return all that can be told of an answer but what is never the same."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date"}}
    return answer.status_code, answer.content, headers
