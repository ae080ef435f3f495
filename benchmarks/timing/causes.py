"""Every reason for which a token request is refused, as pools of requests over a registry that holds them all."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.token_endpoint.places import BUILD
from benchmarks.token_endpoint.population import populate, request_body
from sensos_auth.model.application_secret import new_secret
from sensos_auth.model.identifiers import new_application_id, new_tenant_id
from sensos_auth.registry import Change, Registry, open_registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.location import FILE_NAME
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.tenants import create_tenant, disable_tenant

REFERENCE = "wrong secret"
_POOL = 500
_REFERENCES = 10
_APPLICATIONS_BESIDE = 10_000


@dataclass(frozen=True)
class Account:
    """An application with a tenant of its own, and one secret."""

    tenant_id: str
    application_id: str
    secret_id: str
    secret: str


def make_registry() -> tuple[Path, dict[str, list[bytes]]]:
    """Return a fresh data folder, and for each cause the bodies of requests that are refused for it alone."""
    folder = BUILD / "timing"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(populate(_APPLICATIONS_BESIDE).folder, folder)
    registry = open_registry(f"sqlite:///{folder / FILE_NAME}")
    try:
        return folder, _pools(registry)
    finally:
        registry.close()


def _pools(registry: Registry) -> dict[str, list[bytes]]:
    good = _accounts(registry)
    expired = _accounts(registry, expires_in=1)
    revoked = _accounts(registry, spoil=lambda change, account: revoke_secret(change, account.secret_id))
    disabled = _accounts(registry, spoil=lambda change, account: disable_application(change, account.application_id))
    tenants = _accounts(registry, spoil=lambda change, account: disable_tenant(change, account.tenant_id))
    time.sleep(1.1)  # until the short-lived secrets have expired
    return {
        REFERENCE: [
            # Many: a pool that every pair draws from must not be better known to the caches than the others.
            request_body(one.tenant_id, one.application_id, new_secret())
            for one in good
            for _ in range(_REFERENCES)
        ],
        "unknown tenant": [request_body(new_tenant_id(), one.application_id, new_secret()) for one in good],
        "unknown tenant, right secret": [request_body(new_tenant_id(), one.application_id, one.secret) for one in good],
        "unknown application": [request_body(one.tenant_id, new_application_id(), new_secret()) for one in good],
        "unknown application, right secret": [
            request_body(one.tenant_id, new_application_id(), one.secret) for one in good
        ],
        "another application's secret": [
            request_body(one.tenant_id, one.application_id, other.secret)
            for one, other in zip(good, reversed(good), strict=True)
        ],
        "expired secret": [_right_request(one) for one in expired],
        "revoked secret": [_right_request(one) for one in revoked],
        "disabled application": [_right_request(one) for one in disabled],
        "disabled tenant": [_right_request(one) for one in tenants],
    }


def _accounts(
    registry: Registry,
    *,
    expires_in: int | None = None,
    spoil: Callable[[Change, Account], object] | None = None,
) -> list[Account]:
    accounts = []
    with registry.change("benchmark") as change:
        for _ in range(_POOL):
            tenant = create_tenant(change, name="A tenant of the benchmark")
            application = create_application(change, tenant_id=tenant.tenant_id, name="An application", scope="a b")
            kept, secret = create_secret(change, application_id=application.application_id, expires_in=expires_in)
            account = Account(tenant.tenant_id, application.application_id, kept.secret_id, secret)
            if spoil is not None:
                spoil(change, account)
            accounts.append(account)
    return accounts


def _right_request(account: Account) -> bytes:
    return request_body(account.tenant_id, account.application_id, account.secret)
