"""One answer to one probe, and what it says."""

import pytest

from sensos_auth.probing import faults
from sensos_auth.probing.endpoint import parse_endpoint
from sensos_auth.probing.exchange import Answer, Silence
from sensos_auth.probing.faults import Fault
from sensos_auth.probing.judge import Baseline, judge
from sensos_auth.probing.probe import Expectation, Group, Probe

ENDPOINT = parse_endpoint("https://api.example.com/v1/vehicles")
BASELINE = Baseline(Answer(200, (), b"a vehicle"), Answer(404, (), b""))
CONTRACT = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'
TOKEN = "eyJhbGciOiJFUzI1NiJ9.QWxsIGdvb2QgdGhpbmdzIGNvbWUgdG8gYW4gZW5k.c2lnbmF0dXJlLW9mLXRoZS10b2tlbi1pdHNlbGY"

MISSING, INVALID, MALFORMED = Expectation.MISSING, Expectation.INVALID, Expectation.MALFORMED
NO_ENTRY, LACKS_SCOPE = Expectation.NO_ENTRY, Expectation.INSUFFICIENT_SCOPE


def found(
    expectation: Expectation, answer: Answer | Silence, *, method: str = "GET", contract: bool = False
) -> set[Fault]:
    """Return the faults that the answer shows; UNSIGNED stands for the probe's own."""
    request = ENDPOINT.request(method=method)
    probe = Probe(Group.SIGNATURE, "x", request, expectation, faults.UNSIGNED, shown=TOKEN, claimed="canary")
    return set(judge(probe, answer, BASELINE, contract=contract))


def challenge(*values: str, status: int = 401, body: bytes = b"") -> Answer:
    """Return an answer with these values of WWW-Authenticate."""
    return Answer(status, tuple(("www-authenticate", value) for value in values), body)


@pytest.mark.parametrize(
    ("expectation", "answer", "expected"),
    [
        (MISSING, challenge("Bearer"), set()),
        (MISSING, challenge('Bearer realm="api"'), set()),
        (MISSING, challenge('Basic realm="api"', "bearer"), set()),
        (MISSING, challenge('Basic realm="api", Bearer realm="api"'), set()),
        (MISSING, challenge(), {faults.NO_CHALLENGE}),
        (MISSING, challenge("Basic"), {faults.NO_CHALLENGE}),
        (MISSING, challenge('Basic realm="a, Bearer"'), {faults.NO_CHALLENGE}),
        (MISSING, challenge("BearerToken"), {faults.NO_CHALLENGE}),
        (MISSING, challenge('Bearer error="invalid_token"'), {faults.ERROR_WITHOUT_TOKEN}),
        (MISSING, Answer(403, (), b""), {faults.NOT_401}),
        (MISSING, Answer(404, (), b""), {faults.NOT_401}),
        (INVALID, challenge('Bearer error="invalid_token"'), set()),
        (INVALID, challenge('Bearer realm="a", error=invalid_token'), set()),
        (INVALID, challenge('Bearer error_description="error=x", error="invalid_token"'), set()),
        (INVALID, challenge("Bearer"), {faults.NO_ERROR}),
        (INVALID, challenge('Bearer error="expired"'), {faults.WRONG_ERROR}),
        (INVALID, Answer(400, (), b""), {faults.NOT_401}),
        (MALFORMED, challenge("Bearer"), set()),
        (MALFORMED, challenge('Bearer error="invalid_request"'), set()),
        (MALFORMED, challenge('Bearer error="x"'), {faults.WRONG_ERROR}),
        (MALFORMED, Answer(431, (), b""), set()),
        (MALFORMED, Answer(302, (), b""), {faults.NOT_401}),
        (LACKS_SCOPE, challenge('Bearer error="insufficient_scope"', status=403), set()),
        (LACKS_SCOPE, challenge("Bearer", status=403), {faults.NO_INSUFFICIENT_SCOPE}),
        (LACKS_SCOPE, Answer(403, (), b""), {faults.NO_INSUFFICIENT_SCOPE}),
        (LACKS_SCOPE, challenge("Bearer"), {faults.NOT_403}),
        (LACKS_SCOPE, Answer(404, (), b""), {faults.NOT_403}),
        (NO_ENTRY, Answer(404, (), b""), set()),
        (NO_ENTRY, Answer(501, (), b""), set()),
        (NO_ENTRY, Answer(307, (), b""), set()),
        (NO_ENTRY, challenge(), {faults.NO_CHALLENGE}),
        (INVALID, Answer(503, (), b""), {faults.BREAKS_DOWN}),
        (INVALID, Silence.LATE, {faults.HANGS}),
        (INVALID, Silence.CLOSED, {faults.BREAKS_DOWN}),
        (MALFORMED, Silence.CLOSED, {faults.BREAKS_DOWN}),
        (NO_ENTRY, Silence.CLOSED, set()),
        (MALFORMED, Silence.UNREACHABLE, {faults.BREAKS_DOWN}),
        (Expectation.ENTRY, Answer(200, (), b""), set()),
        (Expectation.ENTRY, challenge("Bearer"), {faults.UNSIGNED}),
        (Expectation.NOT_BELIEVED, Answer(200, (), b"a vehicle"), set()),
        (Expectation.NOT_BELIEVED, Answer(200, (), b"of canary"), {faults.UNSIGNED}),
    ],
)
def test_answers(expectation: Expectation, answer: Answer | Silence, expected: set[Fault]) -> None:
    """Each answer shows exactly these faults."""
    assert found(expectation, answer) == expected


@pytest.mark.parametrize("expectation", [MISSING, INVALID, MALFORMED, NO_ENTRY, LACKS_SCOPE])
@pytest.mark.parametrize("status", [200, 204, 206])
def test_success_is_the_probes_own_fault(expectation: Expectation, status: int) -> None:
    """And nothing else."""
    assert found(expectation, Answer(status, (), b"a vehicle")) == {faults.UNSIGNED}


def test_options_with_the_endpoints_own_body_is_entry() -> None:
    """An Allow header is no excuse for the data."""
    answer = Answer(200, (("allow", "GET"),), b"a vehicle")
    assert found(NO_ENTRY, answer, method="OPTIONS") == {faults.UNSIGNED}
    assert found(NO_ENTRY, Answer(200, (("allow", "GET"),), b""), method="OPTIONS") == set()


def test_the_contract_is_judged_when_asked_for() -> None:
    """Body, media type and Cache-Control; HEAD has no body."""
    headers = (("www-authenticate", "Bearer"), ("content-type", "application/json"), ("cache-control", "no-store"))
    assert found(MISSING, Answer(401, headers, CONTRACT), contract=True) == set()
    assert found(MISSING, Answer(401, headers, b""), contract=True, method="HEAD") == set()
    for broken in (
        Answer(401, headers, b"{}"),
        Answer(401, headers[:2], CONTRACT),
        Answer(401, (headers[0], headers[2]), CONTRACT),
    ):
        assert found(MISSING, broken, contract=True) == {faults.NOT_THE_CONTRACT}
        assert found(MISSING, broken) == set()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (TOKEN, faults.TOKEN_ECHO),
        (TOKEN.split(".")[2][5:40], faults.TOKEN_ECHO),
        ("Traceback (most recent call last):", faults.STACK_TRACE),
        ('  File "x", line 1, in <module>', faults.STACK_TRACE),
        ("    at com.example.Filter.check(Filter.java:17)", faults.STACK_TRACE),
        ("    at verify (/srv/app.js:3:14)", faults.STACK_TRACE),
        ("goroutine 7 [running]:", faults.STACK_TRACE),
        ("in /srv/vehicles/api.py", faults.STACK_TRACE),
        ("Signature verification failed", faults.LIBRARY),
        ("JsonWebTokenError: jwt malformed", faults.LIBRARY),
        ("IDX10223: Lifetime validation failed", faults.LIBRARY),
        ("io.jsonwebtoken.ExpiredJwtException", faults.LIBRARY),
    ],
)
def test_leaks(text: str, fault: Fault) -> None:
    """In the body, and in a header."""
    answer = challenge('Bearer error="invalid_token"', body=text.encode())
    assert fault in found(INVALID, answer)
    answer = Answer(401, (("www-authenticate", 'Bearer error="invalid_token"'), ("x-error", text)), b"")
    assert fault in found(INVALID, answer)


@pytest.mark.parametrize(
    "text",
    [CONTRACT.decode(), "The access token expired", "Not found: /v1/vehicles/.", TOKEN.partition(".")[0], "at 10:30"],
)
def test_ordinary_answers_leak_nothing(text: str) -> None:
    """Nor does the header of a token, which is the same in many."""
    assert found(INVALID, challenge('Bearer error="invalid_token"', body=text.encode())) == set()
