"""What is told of the past outlives whom it is about: the audit trail, and usage."""

import pytest

from tests.running_service import RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, new_asker

pytestmark = pytest.mark.engines("sqlite", "postgresql")


@pytest.mark.parametrize("path", ["/v1/audit-events", "/v1/usage"])
def test_history_of_a_deleted_tenant_is_there_for_operators(service: RunningService, path: str) -> None:
    """The tenant itself is not there any more; for everybody else its history isn't, either."""
    operator, gone = new_asker(service, EVERYTHING), new_asker(service, ADMINISTRATOR)
    assert operator.ask("DELETE", f"/v1/tenants/{gone.tenant_id}").status_code == 204
    assert operator.ask("GET", f"/v1/tenants/{gone.tenant_id}").status_code == 404
    assert operator.ask("GET", f"{path}?tenantId={gone.tenant_id}").status_code == 200
    assert new_asker(service, ADMINISTRATOR).ask("GET", f"{path}?tenantId={gone.tenant_id}").status_code == 404


def test_audit_trail_keeps_the_deletion_of_a_tenant(service: RunningService) -> None:
    """And who did it."""
    operator, gone = new_asker(service, EVERYTHING), new_asker(service, ADMINISTRATOR)
    operator.ask("DELETE", f"/v1/tenants/{gone.tenant_id}")
    events = operator.get(f"/v1/audit-events?tenantId={gone.tenant_id}&action=tenant.deleted")["auditEvents"]
    assert [event["actor"] for event in events] == [f"application:{operator.application.application_id}"]


def test_history_of_a_tenant_that_never_was_is_not_there(service: RunningService) -> None:
    """A mistyped ID must not look like a tenant without events."""
    operator = new_asker(service, EVERYTHING)
    for path in ("/v1/audit-events", "/v1/usage", "/v1/usage/uncached-tokens"):
        assert operator.ask("GET", f"{path}?tenantId=ten_{'a' * 26}").status_code == 404
