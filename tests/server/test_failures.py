"""When something inside breaks: 503 in the contract's form, one log line that says what, never a secret in it (O01).

The canaries are sent in every input position there is; then the log, raw, is searched for them in every form.
"""

import base64
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import apsw
import pytest

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_pair import new_key_pair
from sensos_auth.issuing.key_rotation import revoke
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.registry import Registry
from sensos_auth.registry.signing_keys import (
    add_signing_key,
    list_signing_keys,
    mark_signing_key_revoked,
    schedule_signing_key,
)
from tests.running_service import (
    ENDPOINT_PATH,
    JWKS_PATH,
    TOKEN_PATH,
    ExampleApplication,
    RunningService,
    running_service,
)
from tests.server.contract import JSON_TYPE, assert_error, token_body
from tests.server.raw_http import RawAnswer, exchange, request_bytes

UNAVAILABLE = "The service cannot answer right now: try again later"
UNVERIFIABLE = "Access tokens cannot be verified right now: try again later"


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[RunningService]:
    """Return a service that a test may break."""
    with running_service(tmp_path / "data", at_once=True) as running:
        yield running


def _assert_unavailable(answer: RawAnswer | None, message: str = UNAVAILABLE) -> None:
    assert assert_error(answer, 503, message).header("retry-after") == "2"


def _get(service: RunningService, path: str, *headers: tuple[str | bytes, str | bytes]) -> RawAnswer | None:
    return exchange(service.port, request_bytes("GET", path, list(headers))).answer


def _ask(service: RunningService, application: ExampleApplication) -> RawAnswer | None:
    return exchange(service.port, request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application))).answer


def _canary_forms(canary: str) -> list[bytes]:
    """Return what the canary may look like in a log: raw, hexadecimal, percent-encoded, base64 in its three phases."""
    data = canary.encode()
    phases = [base64.b64encode(b"x" * shift + data)[4:-4] for shift in range(3)]
    urlsafe = [phase.replace(b"+", b"-").replace(b"/", b"_") for phase in phases]
    return [
        data,
        data.hex().encode(),
        quote(canary, safe="").encode(),
        json.dumps(canary)[1:-1].encode(),
        *phases,
        *urlsafe,
    ]


def _send_everywhere(service: RunningService, canary: str) -> None:
    """Send the canary in every position of a request, to every kind of endpoint."""
    data = canary.encode("latin-1")
    body = json.dumps({"tenantId": canary, "applicationId": canary, "applicationSecret": canary})
    requests = [
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE], body.encode()),
        *(
            request_bytes("POST", TOKEN_PATH, [JSON_TYPE], text.encode())
            for text in (
                json.dumps({canary: canary}),
                json.dumps({canary: 1, "tenantId": 1}),
                f'{{"{canary}":1,"{canary}":2}}',
                f'["{canary}"',
                canary,
                json.dumps({"tenantId": {canary: canary}}),
                json.dumps({"tenantId": canary + "\n"}),
                json.dumps({"tenantId": canary * 8}),
                canary * 200,
            )
        ),
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE], b"\xff" + data),
        request_bytes("POST", TOKEN_PATH, [("Content-Type", canary)], b"{}"),
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE, ("Content-Encoding", canary)], b"{}"),
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE, ("Transfer-Encoding", canary)], b"{}"),
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE, ("Content-Length", canary)], b"{}"),
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE, ("Transfer-Encoding", "chunked")], data + b"\r\n"),
        request_bytes("POST", TOKEN_PATH, [JSON_TYPE, ("Expect", canary)], b"{}"),
        request_bytes(canary, "/"),
        request_bytes(canary, "/healthz"),
        request_bytes("GET", f"/{canary}"),
        request_bytes("GET", f"/{canary}/%zz"),
        request_bytes("GET", f"/docs?{canary}={canary}"),
        request_bytes("GET", f"http://{canary}/v1/endpoint"),
        request_bytes("CONNECT", f"{canary}:443"),
        request_bytes("GET", ENDPOINT_PATH, [("Authorization", f"Bearer {canary}")]),
        request_bytes("GET", ENDPOINT_PATH, [("Authorization", canary)]),
        request_bytes("GET", ENDPOINT_PATH, [("Authorization", "x"), ("Authorization", canary)]),
        request_bytes("GET", f"{ENDPOINT_PATH}?access_token={canary}"),
        request_bytes("GET", ENDPOINT_PATH, [(canary, "x"), ("Cookie", canary), ("User-Agent", canary)]),
        request_bytes("GET", JWKS_PATH, [("If-None-Match", canary), ("Range", canary), ("Origin", canary)]),
        request_bytes("GET", "/healthz", [("Host", canary), ("X-Request-Id", canary), ("X-Forwarded-For", canary)]),
        b"GET /" + data + b" HTTP/9.9\r\n" + data + b"\r\n\r\n",
        data + b"\r\n\r\n",
    ]
    for request in requests:
        answer = exchange(service.port, request).answer
        if answer is not None:
            assert answer.status < 500 or answer.status == 503
            assert canary not in str(answer)


def _canaries(service: RunningService, application: ExampleApplication) -> list[str]:
    return [application.secret, service.token(application).rpartition(".")[2], "sensos_sk_canary-4711_canary.0815"]


def _assert_silent(service: RunningService, canaries: list[str]) -> None:
    time.sleep(0.2)  # log lines are written with a little delay
    logged = service.log_bytes()
    assert logged.count(b'"event":"request"') > 30
    for canary in canaries:
        for form in _canary_forms(canary):
            assert form not in logged
    if sys.platform == "linux":
        for pid in (service.process.pid, *service.worker_pids()):
            command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert not [canary for canary in canaries if canary.encode() in command_line]


def test_o01_canaries_reach_no_log_line(own_service: RunningService) -> None:
    """A secret, a token's signature and a made-up secret, in every position; also no process argument."""
    application = own_service.new_application()
    canaries = _canaries(own_service, application)
    for canary in canaries:
        _send_everywhere(own_service, canary)
    _assert_silent(own_service, canaries)
    assert {line["level"] for line in own_service.log_lines()} == {"info"}
    methods = {(line.get("method", "other"), line.get("path", "other")) for line in own_service.log_lines()}
    assert {path for _, path in methods} <= {
        TOKEN_PATH,
        ENDPOINT_PATH,
        JWKS_PATH,
        "/docs",
        "/healthz",
        "/readyz",
        "other",
    }


def test_o01_o04_unexpected_exception(own_service: RunningService) -> None:
    """With its tables gone the service answers 503, logs type and places only, and serves again once they are back."""
    application = own_service.new_application()
    canaries = _canaries(own_service, application)
    bearer = ("Authorization", f"Bearer {own_service.token(application)}")
    with apsw.Connection(str(own_service.registry_file)) as connection:
        connection.execute("ALTER TABLE secrets RENAME TO a; ALTER TABLE clock RENAME TO b")
    try:
        _assert_unavailable(_ask(own_service, application))
        _assert_unavailable(_get(own_service, "/readyz"))
        _assert_unavailable(_get(own_service, JWKS_PATH))
        _assert_unavailable(_get(own_service, ENDPOINT_PATH, bearer), UNVERIFIABLE)
        for canary in canaries:
            _send_everywhere(own_service, canary)
        assert own_service.client.get("/healthz").status_code == 200
    finally:
        with apsw.Connection(str(own_service.registry_file)) as connection:
            connection.execute("ALTER TABLE a RENAME TO secrets; ALTER TABLE b RENAME TO clock")
    line = own_service.wait_for_line(lambda line: line["event"] == "unexpected exception")
    assert line["exception"] == "SQLError"
    assert line["places"][0].endswith(" __call__")
    assert set(line) == {"event", "level", "timestamp", "exception", "places", "request_id"}
    assert own_service.wait_for_line(lambda line: line.get("source") == "sensos_auth.verifying")["level"] == "error"
    _assert_silent(own_service, canaries)
    assert b"no such table" not in own_service.log_bytes()
    assert own_service.ask(application).status_code == 200


def test_o01_no_key_to_sign_with(own_service: RunningService) -> None:
    """RegistryUnavailable: 503 for who may have a token, 401 still for who may not, and the reason is logged."""
    application = own_service.new_application()
    canaries = _canaries(own_service, application)
    bearer = ("Authorization", f"Bearer {own_service.token(application)}")
    with own_service.registry.change("test") as change:
        for key in list_signing_keys(change):
            mark_signing_key_revoked(change, key.kid)
    _assert_unavailable(_ask(own_service, application))
    _assert_unavailable(_get(own_service, "/readyz"))
    _assert_unavailable(_get(own_service, ENDPOINT_PATH, bearer), UNVERIFIABLE)
    assert own_service.ask(application, tenantId="x").status_code == 401
    line = own_service.wait_for_line(lambda line: line["event"] == "registry unavailable")
    assert (line["level"], line["reason"]) == ("warning", "the registry holds no active signing key")
    for canary in canaries:
        _send_everywhere(own_service, canary)
    _assert_silent(own_service, canaries)


def _rotate_to_key_of_another_master_key(registry: Registry) -> None:
    # By hand: every use case that seals looks first whether its master key is the registry's.
    pair = new_key_pair("ES256")
    with registry.change("test") as change:
        (active,) = list_signing_keys(change)
        key = replace(active, kid=pair.kid, public_jwk=pair.public_jwk, signs_from=change.now)
        schedule_signing_key(change, active.kid, signs_from=active.signs_from, signs_until=change.now)
        add_signing_key(change, key, MasterKey(bytes(32)).seal(pair.kid, pair.private_key))


def test_i13_key_sealed_with_another_master_key(own_service: RunningService) -> None:
    """503 that the log explains; what was issued before stays good; the right master key mends it."""
    application = own_service.new_application()
    token = own_service.token(application)
    _rotate_to_key_of_another_master_key(own_service.registry)
    _assert_unavailable(_ask(own_service, application))
    _assert_unavailable(_get(own_service, "/readyz"))
    answer = _get(own_service, ENDPOINT_PATH, ("Authorization", f"Bearer {token}"))
    assert answer is not None
    assert answer.status == 200
    line = own_service.wait_for_line(lambda line: line["event"] == "configuration at fault")
    assert line["reason"].startswith("the master key does not open the signing key ")
    registry = own_service.registry
    with registry.view() as view:
        sealed_wrongly = list_signing_keys(view)[-1].kid
    with pytest.raises(Exception, match="does not open"):
        obtain_master_key(registry, own_service.environment)
    right = MasterKey(base64.urlsafe_b64decode((own_service.data_folder / "master.key").read_text().strip() + "="))
    revoke(registry, right, "ES256", sealed_wrongly, actor="test")
    assert own_service.ask(application).status_code == 200
