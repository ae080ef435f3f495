"""Many tenants at once: whatever they ask for, nobody sees or changes what is another's."""

import random
from dataclasses import dataclass

import pytest

from sensos_auth.registry.audit import events_after
from sensos_auth.registry.revocations import registry_version
from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.operations import Kind, Operation
from tests.running_service import ExampleApplication, RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, Asker, new_asker
from tests.server.management.things import Things, ask, each_operation, new_things, right_scope, upcoming_key

pytestmark = pytest.mark.engines("sqlite", "postgresql")

ROUNDS = 600
_LAST = 1 << 32  # behind the last position of any version


@dataclass(frozen=True)
class Tenant:
    """A tenant whose every name carries its mark, its administrator, and what it has."""

    mark: str
    administrator: Asker
    things: list[Things]

    def words(self) -> set[str]:
        """Return what nobody else may ever be shown."""
        applications = [self.administrator.application, *(each.application for each in self.things)]
        ids = {word for each in applications for word in (each.application_id, each.secret_id)}
        return {self.mark, self.administrator.tenant_id} | ids


def new_tenant(service: RunningService, mark: str) -> Tenant:
    """Make a tenant with two applications."""
    granted = {name for operation in OPERATIONS for name in right_scope(operation).split()} - {"auth:operator"}
    administrator = new_asker(service, " ".join(sorted({*ADMINISTRATOR.split(), *granted})))
    administrator.ask("PATCH", f"/v1/tenants/{administrator.tenant_id}", json={"name": mark})
    things = []
    for number in range(2):
        made = administrator.make("/v1/applications", {"name": f"{mark} {number}"})
        application = ExampleApplication(
            made["tenantId"], made["applicationId"], made["secretId"], made["applicationSecret"]
        )
        secret = f"/v1/secrets/{application.secret_id}"
        assert administrator.ask("PATCH", secret, json={"label": mark}).status_code == 200
        things.append(Things(made["tenantId"], application, service.token(application), upcoming_key(service)))
    return Tenant(mark, administrator, things)


@pytest.mark.engines("sqlite")
def test_h18_no_answer_carries_another_tenants_mark(service: RunningService) -> None:
    """Three tenants ask for anything, on their own things and on the others', in random order."""
    dice = random.Random(18)  # noqa: S311 - for choosing only
    tenants = [new_tenant(service, f"taint{number}") for number in range(3)]
    of_tenants = [operation for operation in OPERATIONS if not operation.is_of_operators]
    foreign_words = {
        tenant.mark: {word for other in tenants if other is not tenant for word in other.words()} for tenant in tenants
    }
    for _ in range(ROUNDS):
        caller, target = dice.choice(tenants), dice.choice(tenants)
        operation = dice.choice(of_tenants)
        if operation.method == "DELETE" and caller is target:
            continue  # there would soon be nothing left
        answer = ask(caller.administrator, operation, dice.choice(target.things))
        assert answer.status_code < 500, answer.text
        assert not [word for word in foreign_words[caller.mark] if word in answer.text], (operation, answer.text)
    operator = new_asker(service, EVERYTHING)
    for tenant in tenants:
        assert operator.ask("GET", f"/v1/tenants/{tenant.administrator.tenant_id}").status_code == 200
        for things in tenant.things:
            shown = operator.get(f"/v1/applications/{things.application.application_id}")
            assert shown["tenantId"] == tenant.administrator.tenant_id
        events = operator.get(f"/v1/audit-events?tenantId={tenant.administrator.tenant_id}&limit=100")["auditEvents"]
        callers = {event["actor"] for event in events} - {"test"}
        assert callers == {f"application:{tenant.administrator.application.application_id}"}


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if operation.kind is Kind.READING],
    ids=lambda operation: operation.operation_id,
)
def test_j04_reading_changes_nothing(service: RunningService, operation: Operation) -> None:
    """The registry is at the version that it was at: nothing was written, and nothing is in the trail."""
    operator = new_asker(service, EVERYTHING)
    things = new_things(service)
    with service.registry.view() as view:
        before = registry_version(view)
    assert operation.method == "GET"
    assert ask(operator, operation, things).status_code == 200
    with service.registry.view() as view:
        assert registry_version(view) == before


@each_operation
def test_j17_what_is_refused_leaves_no_trace(service: RunningService, operation: Operation) -> None:
    """A change that another tenant asked for has not happened: the trail has only what the service does by itself."""
    asker = new_asker(service, right_scope(operation).replace("auth:operator", ""))
    things = new_things(service)
    with service.registry.view() as view:
        before = registry_version(view)
    answer = asker.ask(operation.method, things.path(operation), json=things.body(operation))
    with service.registry.view() as view:
        actors = [event.actor for event in events_after(view, (before, _LAST))]
    assert answer.status_code == operation.status or all(actor.startswith("system:") for actor in actors)
