"""POST /v1/applications/token, as an application and as those who would like to be one see it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import jwt
import pytest

from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.registry.applications import disable_application, enable_application
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.tenants import disable_tenant, enable_tenant
from tests.running_service import JWKS_PATH, TOKEN_PATH, ExampleApplication, RunningService
from tests.server.contract import JSON_TYPE, ask_for_token, error_body, token_body
from tests.server.raw_http import RawAnswer

pytestmark = pytest.mark.engines("sqlite", "postgresql")

REFUSAL = error_body(401, "Invalid tenant ID, application ID or application secret")


def _claims(service: RunningService, token: str) -> dict[str, object]:
    key = jwt.PyJWKClient(service.base_url + JWKS_PATH).get_signing_key_from_jwt(token)
    claims: dict[str, object] = jwt.decode(
        token, key, algorithms=["ES256"], audience="sensos-api", issuer=service.base_url
    )
    return claims


def test_token_says_who_and_for_how_long(service: RunningService, application: ExampleApplication) -> None:
    """E29: expiresIn is exp - iat; the claims are those of RFC 9068 and ours, and no more."""
    before = int(time.time())
    answer = service.ask(application).json()
    claims = _claims(service, answer["accessToken"])
    assert set(claims) == {
        *("iss", "sub", "aud", "iat", "exp", "jti", "client_id"),
        *("tenant_id", "credential_id", "rv", "scope"),
    }
    assert claims["exp"] == int(str(claims["iat"])) + answer["expiresIn"]
    assert before <= int(str(claims["iat"])) <= int(time.time())
    assert claims["sub"] == claims["client_id"] == application.application_id
    assert (claims["tenant_id"], claims["credential_id"]) == (application.tenant_id, application.secret_id)
    assert claims["scope"] == "devices:read devices:write"


@pytest.mark.parametrize("lifetime", [1, 60, 86_400])
def test_e29_lifetime_of_the_application(service: RunningService, lifetime: int) -> None:
    """An application's own lifetime is what its tokens have, and what is said."""
    answer = service.ask(service.new_application(lifetime=lifetime)).json()
    claims = _claims(service, answer["accessToken"])
    assert answer["expiresIn"] == lifetime == int(str(claims["exp"])) - int(str(claims["iat"]))
    assert "scope" not in claims


def _unknown_tenant(_: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(tenantId="ten_" + "a" * 26)


def _unknown_application(_: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(applicationId="app_" + "a" * 26)


def _other_tenant(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(tenantId=service.new_application().tenant_id)


def _own_tenant_with_the_others_application(
    service: RunningService, application: ExampleApplication
) -> dict[str, object]:
    return service.new_application().credentials(tenantId=application.tenant_id)


def _secret_of_another_application(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(applicationSecret=service.new_application(tenant_id=application.tenant_id).secret)


def _well_formed_secret_that_nobody_has(_: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(applicationSecret=new_secret())


def _wrong_checksum(_: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(applicationSecret=application.secret[:-1] + "~")


def _no_secret_at_all(_: RunningService, application: ExampleApplication) -> dict[str, object]:
    return application.credentials(applicationSecret="password")


def _revoked_secret(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    with service.registry.change("test") as change:
        revoke_secret(change, application.secret_id)
    return application.credentials()


def _expired_secret(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    with service.registry.change("test") as change:
        kept, shown = create_secret(change, application_id=application.application_id, expires_in=1)
        assert kept.expires_at is not None
    time.sleep(max(0.0, kept.expires_at - time.time()))
    return application.credentials(applicationSecret=shown)


def _disabled_application(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    with service.registry.change("test") as change:
        disable_application(change, application.application_id)
    return application.credentials()


def _disabled_tenant(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    with service.registry.change("test") as change:
        disable_tenant(change, application.tenant_id)
    return application.credentials()


def _all_of_it(service: RunningService, application: ExampleApplication) -> dict[str, object]:
    _disabled_tenant(service, application)
    _disabled_application(service, application)
    return _revoked_secret(service, application)


CAUSES: dict[str, Callable[[RunningService, ExampleApplication], dict[str, object]]] = {
    "own-unknown-tenant": _unknown_tenant,
    "own-unknown-application": _unknown_application,
    "a22-other-tenant": _other_tenant,
    "a22-own-tenant-others-application": _own_tenant_with_the_others_application,
    "a23-others-secret": _secret_of_another_application,
    "a24-nobodys-secret": _well_formed_secret_that_nobody_has,
    "a24-wrong-checksum": _wrong_checksum,
    "a24-no-secret-at-all": _no_secret_at_all,
    "a26-revoked-secret": _revoked_secret,
    "a27-expired-secret": _expired_secret,
    "a28-disabled-application": _disabled_application,
    "a29-disabled-tenant": _disabled_tenant,
    "own-everything-at-once": _all_of_it,
}


@pytest.mark.parametrize("is_known", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("cause", CAUSES)
def test_a22_to_a29_every_refusal_is_the_same(service: RunningService, cause: str, *, is_known: bool) -> None:
    """Byte for byte and header for header, but for request ID and date.

    Also when it is asked for again, and whether or not the secret has been shown before the cause of the refusal.
    """
    application = service.new_application()
    if is_known:
        service.token(application)
    credentials = CAUSES[cause](service, application)
    for _ in range(2):
        answer = ask_for_token(service, token_body(application, **credentials), [JSON_TYPE]).answer
        assert answer is not None
        assert (answer.status, answer.body, _headers(answer)) == (
            401,
            REFUSAL,
            [
                ("content-type", "application/json"),
                ("content-length", str(len(REFUSAL))),
                ("cache-control", "no-store"),
                ("x-request-id", ""),
                ("x-content-type-options", "nosniff"),
                ("server", "granian"),
                ("date", ""),
            ],
        )


def _headers(answer: RawAnswer) -> list[tuple[str, str]]:
    return [(name, "" if name in {"date", "x-request-id"} else value) for name, value in answer.headers]


def test_a26_i05_two_secrets_overlap(service: RunningService) -> None:
    """Rotation without downtime: both work until the old one is revoked, and from then on only the new one."""
    application = service.new_application()
    with service.registry.change("test") as change:
        _, second = create_secret(change, application_id=application.application_id)
    assert [
        service.ask(application, applicationSecret=secret).status_code for secret in (application.secret, second)
    ] == [
        200,
        200,
    ]
    with service.registry.change("test") as change:
        revoke_secret(change, application.secret_id)
    assert service.ask(application).status_code == 401
    assert service.ask(application, applicationSecret=second).status_code == 200


def test_a26_a27_secret_ends_with_its_second(service: RunningService) -> None:
    """The first second at which it no longer works is the one that was said."""
    application = service.new_application()
    with service.registry.change("test") as change:
        kept, shown = create_secret(change, application_id=application.application_id, expires_in=1)
    assert kept.expires_at is not None
    last_good = 0.0
    while True:
        sent = time.time()
        answer = service.ask(application, applicationSecret=shown)
        if answer.status_code == 401:
            break
        last_good = sent
    assert last_good < kept.expires_at
    assert time.time() >= kept.expires_at


def test_a28_a29_a40_disabled_and_enabled_again(service: RunningService) -> None:
    """Refused from the moment that the change is acknowledged; good again as soon as it is undone, on either engine."""
    application = service.new_application()
    for disable, enable, subject in (
        (disable_application, enable_application, application.application_id),
        (disable_tenant, enable_tenant, application.tenant_id),
    ):
        for _ in range(5):
            with service.registry.change("test") as change:
                disable(change, subject)
            assert service.ask(application).status_code == 401
            with service.registry.change("test") as change:
                enable(change, subject)
            assert service.ask(application).status_code == 200


def test_a29_enabling_one_of_two_is_not_enough(service: RunningService) -> None:
    """Tenant and application must both be enabled."""
    application = service.new_application()
    with service.registry.change("test") as change:
        disable_tenant(change, application.tenant_id)
        disable_application(change, application.application_id)
    with service.registry.change("test") as change:
        enable_application(change, application.application_id)
    assert service.ask(application).status_code == 401
    with service.registry.change("test") as change:
        disable_application(change, application.application_id)
        enable_tenant(change, application.tenant_id)
    assert service.ask(application).status_code == 401


def test_a39_a_thousand_tokens_at_once(service: RunningService, application: ExampleApplication) -> None:
    """The same request a thousand times over eight connections: a thousand tokens, each with an ID of its own."""

    def fetch(count: int) -> list[str]:
        with httpx2.Client(base_url=service.base_url, trust_env=False, timeout=20) as client:
            return [client.post(TOKEN_PATH, json=application.credentials()).json()["accessToken"] for _ in range(count)]

    with ThreadPoolExecutor(8) as pool:
        tokens = [token for found in pool.map(fetch, [125] * 8) for token in found]
    ids = {jwt.decode(token, options={"verify_signature": False})["jti"] for token in tokens}
    assert len(ids) == len(tokens) == 1000


def test_a41_answers_hold_nothing_of_the_secret(service: RunningService, application: ExampleApplication) -> None:
    """Not the secret, its digest or a part of it, in headers, body or the token's claims."""
    good = service.ask(application)
    refused = service.ask(application, applicationSecret=application.secret[:-1] + "x")
    malformed = service.ask(application, tenantId=1)
    claims = str(_claims(service, good.json()["accessToken"]))
    for shown in (good.text, str(good.headers), claims, refused.text, malformed.text):
        assert application.secret[10:24] not in shown
        assert digest(application.secret).hex()[:12] not in shown
    assert "sensos_sk_" not in good.text + claims


def test_i01_nothing_that_can_be_read_shows_a_secret(service: RunningService, application: ExampleApplication) -> None:
    """No path that answers GET knows it; nor does the registry file, where only digests are."""
    token = service.token(application)
    for path in ("/v1/endpoint", JWKS_PATH, "/healthz", "/readyz", "/openapi.json", "/docs"):
        answer = service.client.get(path, headers={"Authorization": f"Bearer {token}"})
        assert application.secret not in answer.text + str(answer.headers)
    for file in service.data_folder.glob("registry.sqlite3*"):
        assert application.secret.encode() not in file.read_bytes()
        assert application.secret[10:30].encode() not in file.read_bytes()


def test_i06_application_without_a_secret(service: RunningService) -> None:
    """Allowed: it just gets no tokens."""
    application = service.new_application()
    with service.registry.change("test") as change:
        revoke_secret(change, application.secret_id)
    assert service.ask(application).status_code == 401


def test_h01_ids_of_two_tenants_never_mix(service: RunningService) -> None:
    """Of all combinations of two tenants' IDs and secrets, only the two real ones get a token."""
    one, other = service.new_application(), service.new_application()
    statuses = {
        (a is b is c): service.client.post(
            TOKEN_PATH,
            json={"tenantId": a.tenant_id, "applicationId": b.application_id, "applicationSecret": c.secret},
        ).status_code
        for a in (one, other)
        for b in (one, other)
        for c in (one, other)
    }
    assert statuses == {True: 200, False: 401}
