"""GET /v1/endpoint of the example API, as an integrator meets it."""

import time
from pathlib import Path

import pytest

from tests.running_service import ENDPOINT_PATH, RunningService, running_service

pytestmark = pytest.mark.engines("sqlite", "postgresql")


def _get(service: RunningService, token: str) -> tuple[int, object]:
    answer = service.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()


def test_it_says_who_calls(service: RunningService) -> None:
    """Tenant, application, scopes in order, and when the token expires."""
    application = service.new_application(scope="b:write a:read")
    before = int(time.time())
    status, body = _get(service, service.token(application))
    assert status == 200
    assert isinstance(body, dict)
    assert before + 36_000 <= body.pop("expiresAt") <= time.time() + 36_000
    assert body == {
        "tenantId": application.tenant_id,
        "applicationId": application.application_id,
        "scopes": ["a:read", "b:write"],
    }


def test_application_without_scopes(service: RunningService) -> None:
    """An empty list."""
    _, body = _get(service, service.token(service.new_application()))
    assert isinstance(body, dict)
    assert body["scopes"] == []


def test_e02_token_expires_with_its_last_second(service: RunningService) -> None:
    """Good until exp, refused from then on."""
    token = service.token(service.new_application(lifetime=2))
    status, body = _get(service, token)
    assert status == 200
    assert isinstance(body, dict)
    expires_at = body["expiresAt"]
    while (asked := time.time()) < expires_at + 3:
        status, _ = _get(service, token)
        if status == 401:
            break
        assert asked < expires_at
    assert status == 401
    assert time.time() >= expires_at


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param({"SENSOS_AUTH_ISSUER": "https://other.example.com"}, id="e11-issuer"),
        pytest.param({"SENSOS_AUTH_AUDIENCE": "other-api"}, id="e08-audience"),
    ],
)
def test_token_of_a_differently_configured_service(tmp_path: Path, difference: dict[str, str]) -> None:
    """The same registry, the same key, but another issuer or audience: refused, both ways."""
    with running_service(tmp_path / "data", at_once=True) as one:
        environment = {"SENSOS_AUTH_ISSUER": one.base_url} | difference
        with running_service(tmp_path / "data", environment=environment, at_once=True) as other:
            application = one.new_application()
            tokens = [one.token(application), other.token(application)]
            statuses = [[_get(service, token)[0] for token in tokens] for service in (one, other)]
    assert statuses == [[200, 401], [401, 200]]
