"""Limits, as clients meet them: real requests, from addresses that a trusted proxy on this machine tells."""

from collections.abc import Iterator, Mapping

import httpx2
import pytest

from sensos_auth.model.application_secret import new_secret
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.secrets import revoke_secret
from sensos_auth.server.limits import RefusalLimit, limit_settings
from tests.running_service import TOKEN_PATH, ExampleApplication, RunningService, running_service
from tests.server.asgi_calls import http_scope

MALLORY, BYSTANDER = "203.0.113.66", "198.51.100.7"
_TIRELESS = 40  # requests, with a burst of 5


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a service behind a proxy on this machine, with limits that are soon reached and slow to refill."""
    settings = {
        "SENSOS_AUTH_TRUSTED_PROXIES": "127.0.0.0/8",
        "SENSOS_AUTH_ADDRESS_LIMIT": "6/m burst 5",
        "SENSOS_AUTH_APPLICATION_LIMIT": "6/m burst 4",
    }
    with running_service(tmp_path_factory.mktemp("limits") / "data", environment=settings, at_once=True) as running:
        yield running


@pytest.fixture
def application(limited: RunningService) -> ExampleApplication:
    """Return an application that got no token yet."""
    return limited.new_application()


def ask(
    service: RunningService, application: ExampleApplication, address: str | None = None, **changes: object
) -> httpx2.Response:
    """Return the answer to its token request, sent from the address."""
    headers = {} if address is None else {"X-Forwarded-For": f"192.0.2.1, {address}"}
    return service.client.post(TOKEN_PATH, json=application.credentials(**changes), headers=headers)


def _told(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in {"date", "x-request-id"}}


def _parameters(field: str) -> dict[str, int]:
    return {name: int(value) for name, _, value in (part.partition("=") for part in field.split(";")[1:])}


def test_p04_flood_of_refusals_slows_its_address_down_and_no_other(
    limited: RunningService, application: ExampleApplication
) -> None:
    """The application that it names is not locked out: not from elsewhere, nor from the address of the flood."""
    statuses = [
        ask(limited, application, MALLORY, applicationSecret=new_secret()).status_code for _ in range(_TIRELESS)
    ]
    assert statuses[:5] == [401] * 5
    assert set(statuses[5:]) == {429}
    assert ask(limited, application, BYSTANDER).status_code == 200
    assert ask(limited, application, MALLORY).status_code == 200
    assert ask(limited, application, BYSTANDER, applicationSecret=new_secret()).status_code == 401


def test_a22_to_a29_too_many_refusals_look_the_same_whatever_was_wrong(
    limited: RunningService, application: ExampleApplication
) -> None:
    """Byte for byte and header for header, but for the seconds that pass meanwhile."""
    revoked, other = limited.new_application(), limited.new_application()
    with limited.registry.change("test") as change:
        revoke_secret(change, revoked.secret_id)
    address = "2001:db8:1::66"
    for _ in range(5):
        assert ask(limited, application, address, applicationSecret="x").status_code == 401
    answers = [
        ask(limited, application, address, applicationSecret="x"),
        ask(limited, application, address, applicationSecret=new_secret()),
        ask(limited, application, address, tenantId=other.tenant_id),
        ask(limited, application, address, applicationId="app_" + "a" * 26),
        ask(limited, application, address, applicationId="nobody"),
        ask(limited, revoked, "2001:db8:1::1"),  # of the same /64
    ]
    assert {answer.status_code for answer in answers} == {429}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json() == {
        "error": "Too Many Requests",
        "message": "Too many requests with wrong credentials from this address: wait, and mend them",
    }
    assert {tuple(_told(answer)) for answer in answers} == {tuple(_told(answers[0]))}
    told = answers[0].headers
    assert told["cache-control"] == "no-store"
    assert told["ratelimit-policy"] == '"address";q=5;w=50'
    waits = [int(answer.headers["retry-after"]) for answer in answers]
    assert all(8 <= wait <= 10 for wait in waits)
    assert [answer.headers["ratelimit"] for answer in answers] == [f'"address";r=0;t={wait}' for wait in waits]


def test_application_gets_no_more_tokens_than_its_limit(
    limited: RunningService, application: ExampleApplication
) -> None:
    """From whatever address; the others notice nothing."""
    answers = [ask(limited, application, f"198.51.100.{number}") for number in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    told = answers[-1].headers
    assert _parameters(told["ratelimit-policy"]) == {"q": 4, "w": 40}
    assert _parameters(told["ratelimit"]) == {"r": 0, "t": int(told["retry-after"])}
    assert answers[-1].json()["error"] == "Too Many Requests"
    assert ask(limited, limited.new_application(tenant_id=application.tenant_id)).status_code == 200


def test_p04_nobody_without_the_secret_uses_up_an_applications_tokens(
    limited: RunningService, application: ExampleApplication
) -> None:
    """Refusals that name it are not its tokens."""
    for number in range(_TIRELESS):
        answer = ask(limited, application, f"203.0.113.{number}", applicationSecret=new_secret())
        assert answer.status_code in {401, 429}
    assert [ask(limited, application).status_code for _ in range(5)] == [200] * 4 + [429]


def test_application_beyond_its_limit_with_a_wrong_secret_is_refused_as_ever(
    limited: RunningService, application: ExampleApplication
) -> None:
    """The limit tells nobody whether an application is busy."""
    assert [ask(limited, application).status_code for _ in range(5)][-1] == 429
    assert ask(limited, application, "198.51.100.200", applicationSecret=new_secret()).status_code == 401


def test_requests_from_this_machine_have_no_limit(limited: RunningService, application: ExampleApplication) -> None:
    """Where the proxy tells nothing, everybody has its address."""
    answers = [limited.ask(application, applicationSecret=new_secret()) for _ in range(_TIRELESS)]
    assert {answer.status_code for answer in answers} == {401}


def test_malformed_requests_are_no_refusals(limited: RunningService, application: ExampleApplication) -> None:
    """They cost nothing that anybody could guess with."""
    answers = [ask(limited, application, "203.0.113.250", applicationSecret=...) for _ in range(_TIRELESS)]
    assert {answer.status_code for answer in answers} == {400}


@pytest.mark.parametrize(
    ("environment", "refused"),
    [
        ({}, 100),
        ({"SENSOS_AUTH_ADDRESS_LIMIT": "1/h"}, 1),
        ({"SENSOS_AUTH_ADDRESS_LIMIT": "off"}, 300),
    ],
)
def test_limit_of_addresses_by_default(environment: Mapping[str, str], refused: int) -> None:
    """On, for a burst of a hundred; and what operators set."""
    limit = RefusalLimit(limit_settings(environment))
    scope = http_scope("POST", TOKEN_PATH)
    scope["client"] = (MALLORY, 4711)
    kinds = [type(limit.refuse(scope)).__name__ for _ in range(300)]
    assert refused <= kinds.count("AuthenticationFailed") <= refused + 10  # a few come back while this runs
    assert kinds[:refused] == ["AuthenticationFailed"] * refused


@pytest.mark.parametrize(
    "name", ["SENSOS_AUTH_APPLICATION_LIMIT", "SENSOS_AUTH_ADDRESS_LIMIT", "SENSOS_AUTH_TRUSTED_PROXIES"]
)
def test_z52_wrong_setting_is_named(name: str) -> None:
    """Before anything is served."""
    with pytest.raises(ConfigurationError, match=name):
        limit_settings({name: "many"})
