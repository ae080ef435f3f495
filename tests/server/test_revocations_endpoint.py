"""``GET /v1/revocations`` over sockets: what verifiers hear, when they hear it, and who may wait for it."""

import json
import socket
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import jwt
import pytest

from sensos_auth.model.revocation import RevocationKind, subject_digest
from sensos_auth.registry.applications import disable_application, enable_application
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.secrets import revoke_secret
from sensos_auth.registry.tenants import create_tenant, disable_tenant
from sensos_auth.registry.verifiers import VerifierReport, list_verifiers
from sensos_auth.server.revocation_feed import MOST_WAITING_WITHOUT
from tests.running_service import ENDPOINT_PATH, ExampleApplication, RunningService
from tests.server.raw_http import request_bytes

pytestmark = pytest.mark.engines("sqlite", "postgresql")

PATH = "/v1/revocations"
KEYS_PATH = "/v1/revocations/keys"


def poll(service: RunningService, token: str = "", **parameters: str | float) -> httpx2.Response:
    """Return the answer to a poll."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return service.client.get(PATH, params=parameters, headers=headers)


def version_of(service: RunningService) -> int:
    """Return the registry version as the feed tells it."""
    page: dict[str, Any] = poll(service, since=(1 << 63) - 1).json()
    return int(page["version"])


def revoke(service: RunningService, token_id: str) -> int:
    """Revoke a token and return the version."""
    with service.registry.change("test") as change:
        revoke_token(change, token_id)
    return change.version


def digests(page: dict[str, Any]) -> set[bytes]:
    """Return the digests of the tokens on a page."""
    together = b"".join(b64decode(text) for _, text in page.get("tokens", []))
    return {together[start : start + 16] for start in range(0, len(together), 16)}


@contextmanager
def held_poll(service: RunningService, since: int, wait: float = 8, query: str = "", token: str = "") -> Iterator[Any]:
    """Poll on a connection of its own, and return the socket while the poll is held."""
    headers: list[tuple[str | bytes, str | bytes]] = [("Authorization", f"Bearer {token}")] if token else []
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
        connection.sendall(request_bytes("GET", f"{PATH}?since={since}&wait={wait}{query}", headers))
        connection.settimeout(0.15)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        yield connection


def verifier_token(service: RunningService) -> str:
    """Return a token of a fresh application that may poll as a verifier."""
    return service.token(service.new_application(scope="auth:verifier"))


def reports(service: RunningService, name: str) -> list[VerifierReport]:
    """Return what the registry has of the verifier."""
    with service.registry.view() as view:
        return [report for report in list_verifiers(view, limit=10_000) if report.name == name]


def wait_for(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Fail unless the condition comes true in time."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_page_bears_a_signature_that_the_published_key_verifies(service: RunningService) -> None:
    """A detached JWS over the bytes of the body; the issuer, the versions and the time are in what is signed."""
    since = version_of(service)
    version = revoke(service, "signed")
    answer = poll(service, since=since)
    header, nothing, signature = answer.headers["sensos-signature"].split(".")
    assert nothing == ""
    whole = f"{header}.{urlsafe_b64encode(answer.content).rstrip(b'=').decode()}.{signature}"
    (key,) = service.client.get(KEYS_PATH).json()["keys"]
    assert jwt.PyJWS().decode(whole, jwt.PyJWK(key), algorithms=["EdDSA"]) == answer.content
    assert jwt.get_unverified_header(whole) == {"alg": "EdDSA", "typ": "sensos-revocations", "kid": key["kid"]}
    page = answer.json()
    assert (page["issuer"], page["since"], page["version"]) == (service.base_url, since, version)
    assert abs(page["asOf"] - time.time()) < 3
    assert digests(page) == {subject_digest(RevocationKind.TOKEN, "signed")}
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "application/json"


def test_key_of_the_feed_signs_no_tokens(service: RunningService) -> None:
    """It is not in the JWKS, and cached as long; asked for again, it is 304."""
    answer = service.client.get(KEYS_PATH)
    (key,) = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert "d" not in key
    assert key["kid"] not in service.client.get("/.well-known/jwks.json").text
    assert answer.headers["cache-control"] == "public, max-age=300"
    again = service.client.get(KEYS_PATH, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_z74_replay_from_any_version_tells_all_that_came_after(service: RunningService) -> None:
    """Whoever goes on from the version of the last answer misses nothing and hears nothing twice."""
    since = version_of(service)
    versions = [revoke(service, f"replay{number}") for number in range(3)]
    expected = [subject_digest(RevocationKind.TOKEN, f"replay{number}") for number in range(3)]
    for number, start in enumerate([since, *versions]):
        assert digests(poll(service, since=start).json()) == set(expected[number:])
    assert digests(poll(service).json()) >= set(expected)


def test_z74_version_that_is_not_reached_is_answered_at_once(service: RunningService) -> None:
    """A verifier that knows more than a restored registry is told its version, and waits for nothing."""
    version = version_of(service)
    began = time.monotonic()
    answer = poll(service, since=version + 10**9, wait=20)
    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.json()["since"], answer.json()["version"]) == (200, version + 10**9, version)


def test_unchanged_page_is_not_sent_again(service: RunningService) -> None:
    """The entity tag is the version: weak, because asOf changes under it; 304 to who has it, else the page."""
    answer = poll(service)
    etag = answer.headers["etag"]
    assert etag == f'W/"{answer.json()["version"]}"'
    same = service.client.get(PATH, headers={"If-None-Match": f'"other", {etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    revoke(service, "new-tag")
    assert service.client.get(PATH, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        *("since=", "since=-1", "since=1.0", "since=0x1", "since=%D9%A1", "since=9223372036854775808", "since= 1"),
        *("wait=", "wait=31", "wait=30.1", "wait=-1", "wait=1e1", "wait=nan", "wait=inf", "wait=1,5"),
        *("verifier=", "verifier=a%20b", "verifier=a%0Ab", "verifier=%C3%A9", "verifier=" + "a" * 65),
        *("keys=a,", "keys=,", "keys=a%20b", "keys=" + "a" * 65, "keys=" + ",".join(["a"] * 21)),
        *("since=1&since=1", "wait=1&wait=2", "verifier=a&verifier=a", "keys=a&keys=b"),
    ],
)
def test_bad_parameter_is_named(service: RunningService, query: str) -> None:
    """400 says which one, and what it should be, without repeating what was sent."""
    answer = service.client.get(f"{PATH}?{query.replace(' ', '%20')}")
    name, _, value = query.partition("=")
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert answer.json()["message"].startswith(name)
    assert len(value) < 5 or value not in answer.text


def test_too_many_parameters_are_refused(service: RunningService) -> None:
    """A few that are not known are ignored; fifty are more than anybody needs."""
    few = "&".join(f"other{number}=x&other{number}=y" for number in range(5))
    assert service.client.get(f"{PATH}?{few}").status_code == 200
    answer = service.client.get(f"{PATH}?{'&'.join('a=1' for _ in range(51))}")
    assert (answer.status_code, answer.json()["message"]) == (400, "the query has too many parameters")


def test_head_never_waits_and_nothing_but_get_is_answered(service: RunningService) -> None:
    """HEAD tells the headers of the page at once."""
    began = time.monotonic()
    answer = service.client.head(PATH, params={"since": version_of(service), "wait": 20})
    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["sensos-signature"]
    for path in (PATH, KEYS_PATH):
        refused = service.client.post(path)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_waiting_ends_with_the_time_asked_for(service: RunningService) -> None:
    """With nothing new, the page says so, as of then."""
    since = version_of(service)
    began = time.monotonic()
    page = poll(service, since=since, wait="0.6").json()
    assert 0.6 <= time.monotonic() - began < 1.6
    assert (page["version"], digests(page)) == (since, set())


def _disable(service: RunningService, application: ExampleApplication) -> int:
    with service.registry.change("test") as change:
        disable_application(change, application.application_id)
    return change.version


def _disable_tenant(service: RunningService, application: ExampleApplication) -> int:
    with service.registry.change("test") as change:
        disable_tenant(change, application.tenant_id)
    return change.version


def _revoke_secret(service: RunningService, application: ExampleApplication) -> int:
    with service.registry.change("test") as change:
        revoke_secret(change, application.secret_id, with_tokens=True)
    return change.version


@pytest.mark.parametrize(
    ("act", "member"),
    [(_disable, "applications"), (_disable_tenant, "tenants"), (_revoke_secret, "credentials")],
    ids=["application", "tenant", "secret"],
)
def test_n11_revocation_wakes_who_waits(
    service: RunningService, act: Callable[[RunningService, ExampleApplication], int], member: str
) -> None:
    """Within a second, with the entry; here within a quarter of one, on an idle machine."""
    application = service.new_application()
    since = version_of(service)
    woken: list[tuple[float, dict[str, Any]]] = []

    def wait() -> None:
        page = poll(service, since=since, wait=8).json()
        woken.append((time.monotonic(), page))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.2)
    version = act(service, application)
    returned = time.monotonic()
    waiting.join()
    ((at, page),) = woken
    assert at - returned < 1.0
    assert page["version"] == version
    assert [void_before for _, void_before, _ in page[member]] == [version]


def test_other_changes_wake_nobody(service: RunningService) -> None:
    """A new tenant voids nothing: who waits goes on, and hears its version in the end."""
    with held_poll(service, version_of(service), wait=1) as connection:
        with service.registry.change("test") as change:
            create_tenant(change, name="x")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(5)
        assert json.loads(connection.recv(65_536).partition(b"\r\n\r\n")[2])["version"] == change.version


def test_n08_bad_token_is_refused_as_everywhere(service: RunningService, application: ExampleApplication) -> None:
    """401 to one that is not good, 403 to one without the scope; another scheme is no token."""
    answer = poll(service, "x.y.z")
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid or expired access token")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    answer = poll(service, service.token(application), verifier="nobody")
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="auth:verifier"'
    assert reports(service, "nobody") == []
    assert service.client.get(PATH, headers={"Authorization": "Basic eDp5"}).status_code == 200


def test_poll_with_a_token_is_the_word_of_a_verifier(service: RunningService) -> None:
    """Its name, the version and the keys that it holds; it counts as live until ten seconds after its poll."""
    token, since = verifier_token(service), version_of(service)
    before = time.time() * 1000
    assert poll(service, token, since=since, wait="0.1", verifier="api-7", keys="k1,k2").status_code == 200
    wait_for(lambda: len(reports(service, "api-7")) == 1)
    (report,) = reports(service, "api-7")
    assert (report.version, report.kids) == (since, ("k1", "k2"))
    assert before - 1 <= report.seen_at <= time.time() * 1000
    assert report.live_until == report.seen_at + 100 + 10_000


def test_nobody_speaks_without_a_token_or_a_name(service: RunningService) -> None:
    """Nor by HEAD. They are answered like everybody."""
    authorization = {"Authorization": f"Bearer {verifier_token(service)}"}
    answers = (
        poll(service, verifier="anonymous"),
        poll(service, verifier_token(service), keys="k1"),
        service.client.head(PATH, params={"verifier": "head"}, headers=authorization),
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    poll(service, verifier_token(service), verifier="last")
    wait_for(lambda: len(reports(service, "last")) == 1)
    assert reports(service, "anonymous") == reports(service, "head") == reports(service, "") == []


def test_verifier_that_hangs_up_is_soon_counted_on_no_longer(service: RunningService) -> None:
    """Five seconds after its connection has gone, rather than when its poll would have ended."""
    token = verifier_token(service)
    with held_poll(service, version_of(service), 30, "&verifier=leaver", token):
        wait_for(lambda: len(reports(service, "leaver")) == 1)
        assert reports(service, "leaver")[0].live_until > time.time() * 1000 + 35_000
    left = time.time() * 1000
    wait_for(lambda: reports(service, "leaver")[0].live_until < left + 6_000)
    assert reports(service, "leaver")[0].live_until > left + 4_000


def test_p10_who_waits_without_a_token_is_bounded(service: RunningService) -> None:
    """Beyond 200 the answer comes at once; a token has room of its own; who hangs up makes room."""
    since = version_of(service)
    request = request_bytes("GET", f"{PATH}?since={since}&wait=25")
    crowd = [socket.create_connection(("127.0.0.1", service.port), 10) for _ in range(MOST_WAITING_WITHOUT)]
    try:
        for connection in crowd:
            connection.sendall(request)
        time.sleep(0.5)
        began = time.monotonic()
        assert poll(service, since=since, wait=5).status_code == 200
        assert time.monotonic() - began < 1
        with held_poll(service, since, token=verifier_token(service)):
            pass
        for connection in crowd[:5]:
            connection.close()
        time.sleep(0.5)
        with held_poll(service, since):
            pass
    finally:
        for connection in crowd:
            connection.close()


def test_d24_own_verifier_refuses_what_was_revoked_at_once(service: RunningService) -> None:
    """The very next request after the change; a new token is good once the application is enabled again."""
    application = service.new_application()
    token = service.token(application)
    bearer = {"Authorization": f"Bearer {token}"}
    for _ in range(2):
        assert service.client.get(ENDPOINT_PATH, headers=bearer).status_code == 200
    with service.registry.change("test") as change:
        disable_application(change, application.application_id)
    answer = service.client.get(ENDPOINT_PATH, headers=bearer)
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid or expired access token")
    with service.registry.change("test") as change:
        enable_application(change, application.application_id)
    assert service.client.get(ENDPOINT_PATH, headers=bearer).status_code == 401
    fresh = service.token(application)
    assert service.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {fresh}"}).status_code == 200


@pytest.mark.parametrize("act", [_disable, _disable_tenant, _revoke_secret], ids=["application", "tenant", "secret"])
def test_d24_void_token_of_a_verifier_polls_no_more(
    service: RunningService, act: Callable[[RunningService, ExampleApplication], int]
) -> None:
    """401 from the feed itself, from the gateways' endpoint and from the API at once; nothing is reported for it."""
    application = service.new_application(scope="auth:verifier")
    token = service.token(application)
    bearer = {"Authorization": f"Bearer {token}"}
    paths = (PATH, "/v1/verify", ENDPOINT_PATH)
    assert [service.client.get(path, headers=bearer).status_code for path in paths] == [200, 200, 200]
    act(service, application)
    name = f"void-{application.application_id[-8:]}"
    assert poll(service, token, since=0, wait=5, verifier=name).status_code == 401
    assert [service.client.get(path, headers=bearer).status_code for path in paths] == [401, 401, 401]
    assert poll(service).status_code == 200
    poll(service, verifier_token(service), verifier=f"after-{name}")
    wait_for(lambda: len(reports(service, f"after-{name}")) == 1)
    assert reports(service, name) == []


def test_n12_impossible_report_is_worth_nothing(service: RunningService) -> None:
    """Who says it holds a version that the registry has not reached holds nothing, as far as anybody waits for it."""
    poll(service, verifier_token(service), since=version_of(service) + 10**9, verifier="prophet")
    wait_for(lambda: len(reports(service, "prophet")) == 1)
    assert reports(service, "prophet")[0].version == 0


def test_i07_own_verifier_tells_the_tokens_of_two_secrets_apart(service: RunningService) -> None:
    """Those of the leaked secret are void, and the one revoked by its ID; the others are good."""
    leaked = service.new_application()
    other = service.new_application(tenant_id=leaked.tenant_id)
    first, second, third = service.token(leaked), service.token(other), service.token(other)
    claims = jwt.decode(second, options={"verify_signature": False})
    with service.registry.change("test") as change:
        revoke_secret(change, leaked.secret_id, with_tokens=True)
        revoke_token(change, claims["jti"], expires_at=claims["exp"])
    statuses = [
        service.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {token}"}).status_code
        for token in (first, second, third)
    ]
    assert statuses == [401, 401, 200]
