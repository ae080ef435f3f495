"""What is taken away through one node is taken away everywhere: with the very next request after the call returned."""

from typing import Any, NamedTuple

import httpx2
import jwt
import pytest

from tests.running_service import ExampleApplication, RunningService
from tests.server.management.asking import EVERYTHING, Asker, new_asker
from tests.server.several_nodes.asking_nodes import at, command, issuing, verifying


class Seen(NamedTuple):
    """What a node says: of a token that was issued before, and of a request for a new one."""

    old_token: int
    new_token: int


class Taking(NamedTuple):
    """A way to take something away, and what every node says after it."""

    method: str
    path: str
    body: dict[str, Any] | None
    seen: Seen


_TAKING = {
    "application-disabled": Taking("POST", "/v1/applications/{application}/disable", None, Seen(401, 401)),
    "application-deleted": Taking("DELETE", "/v1/applications/{application}", None, Seen(401, 401)),
    "tenant-disabled": Taking("POST", "/v1/tenants/{tenant}/disable", None, Seen(401, 401)),
    "tenant-deleted": Taking("DELETE", "/v1/tenants/{tenant}", None, Seen(401, 401)),
    "secret-revoked": Taking("POST", "/v1/secrets/{secret}/revoke", None, Seen(200, 401)),
    "secret-revoked-with-tokens": Taking("POST", "/v1/secrets/{secret}/revoke", {"withTokens": True}, Seen(401, 401)),
    "token-revoked": Taking("POST", "/v1/tokens/revoke", {"accessToken": "{token}"}, Seen(401, 200)),
    "tokens-voided": Taking("POST", "/v1/applications/{application}/void-tokens", None, Seen(401, 200)),
}


def _ask(caller: Asker, taking: Taking, application: ExampleApplication, token: str) -> httpx2.Response:
    path = taking.path.format(
        application=application.application_id, tenant=application.tenant_id, secret=application.secret_id
    )
    body = taking.body and {name: token if value == "{token}" else value for name, value in taking.body.items()}
    return caller.ask(taking.method, path, json=body)


@pytest.mark.parametrize("kind", _TAKING)
def test_z29_taken_away_through_one_node_is_gone_at_all(
    nodes: list[RunningService], operator: Asker, kind: str
) -> None:
    """Whatever it is, through each node in turn, and although each held it and had just let it pass."""
    for node in nodes:
        application = node.new_application()
        token = node.token(application)
        for each in nodes:
            assert (verifying(each, token), issuing(each, application)) == (200, 200)
        answer = _ask(at(node, operator), _TAKING[kind], application, token)
        assert answer.status_code in {200, 204}, answer.text
        for each in nodes:
            assert Seen(verifying(each, token), issuing(each, application)) == _TAKING[kind].seen


@pytest.mark.parametrize("kind", ["application", "tenant"])
def test_z29_shorter_lifetime_and_fewer_scopes_count_at_once(
    nodes: list[RunningService], operator: Asker, kind: str
) -> None:
    """Every token that is asked for after the call returned has them."""
    for node in nodes:
        application = node.new_application(scope="a b")
        for each in nodes:
            assert issuing(each, application) == 200
        asked = at(node, operator)
        if kind == "tenant":
            changed = asked.ask("PATCH", f"/v1/tenants/{application.tenant_id}", json={"lifetime": 60})
            scope = "a b"
        else:
            path = f"/v1/applications/{application.application_id}"
            changed = asked.ask("PATCH", path, json={"lifetime": 60, "scope": "a"})
            scope = "a"
        assert changed.status_code == 200, changed.text
        for each in nodes:
            answer = each.ask(application).json()
            claims = jwt.decode(answer["accessToken"], options={"verify_signature": False})
            assert (answer["expiresIn"], claims["scope"]) == (60, scope)


@pytest.mark.parametrize("kind", ["application", "tenant"])
def test_what_is_given_back_through_one_node_counts_at_once_at_all(
    nodes: list[RunningService], operator: Asker, kind: str
) -> None:
    """Although nobody waits for it: a node that goes by what it holds refuses nobody."""
    for node in nodes:
        application = node.new_application()
        path = f"/v1/{kind}s/{application.application_id if kind == 'application' else application.tenant_id}"
        assert at(node, operator).ask("POST", f"{path}/disable").status_code == 200
        assert [issuing(each, application) for each in nodes] == [401] * 3
        assert at(node, operator).ask("POST", f"{path}/enable").status_code == 200
        assert [issuing(each, application) for each in nodes] == [200] * 3
        assert [verifying(each, nodes[0].token(application)) for each in nodes] == [200] * 3


def test_j14_caller_that_was_disabled_through_one_node_changes_nothing_through_another(
    nodes: list[RunningService], operator: Asker
) -> None:
    """401 from the management API of every node."""
    caller = new_asker(nodes[0], EVERYTHING)
    for node in nodes:
        assert at(node, caller).ask("GET", "/v1/applications").status_code == 200
    path = f"/v1/applications/{caller.application.application_id}/disable"
    assert operator.ask("POST", path).status_code == 200
    for node in nodes:
        answer = at(node, caller).ask("POST", "/v1/tenants", json={"name": "Red Motors"})
        assert answer.status_code == 401


def test_z29_commands_keep_the_same_promise(nodes: list[RunningService]) -> None:
    """As operators run them, beside any node."""
    for node, noun, verb in zip(
        nodes, ("applications", "tenants", "secrets"), ("disable", "disable", "revoke"), strict=True
    ):
        application = node.new_application()
        for each in nodes:
            assert issuing(each, application) == 200
        ids = {
            "applications": application.application_id,
            "tenants": application.tenant_id,
            "secrets": application.secret_id,
        }
        command(node, noun, verb, ids[noun])
        assert [issuing(each, application) for each in nodes] == [401] * 3
