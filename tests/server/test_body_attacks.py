"""The catalogue's group A: bodies of POST /v1/applications/token that must not get a token, through a real socket."""

import base64
import gzip
import json
import zlib

import pytest

from sensos_auth.issuing.issuer import LARGEST_FIELD
from sensos_auth.model.application_secret import digest
from tests.running_service import ExampleApplication, RunningService
from tests.server.contract import (
    INVALID_CREDENTIALS,
    JSON_TYPE,
    NOT_AN_OBJECT,
    NOT_JSON,
    TOO_LARGE,
    ask_for_token,
    assert_error,
    token_body,
)

FIELDS = ["tenantId", "applicationId", "applicationSecret"]
TWICE = "A member of a JSON object is given twice"


def _refuse(service: RunningService, body: bytes, message: str, status: int = 400) -> None:
    assert_error(ask_for_token(service, body, [JSON_TYPE]).answer, status, message)


def test_a01_good_credentials_get_a_token(service: RunningService, application: ExampleApplication) -> None:
    """200 with accessToken and expiresIn and nothing else; not to be stored, no cookie."""
    answer = ask_for_token(service, token_body(application), [JSON_TYPE]).answer
    assert answer is not None
    assert answer.status == 200
    issued = json.loads(answer.body)
    assert set(issued) == {"accessToken", "expiresIn"}
    assert issued["expiresIn"] == 36_000
    assert [name for name, _ in answer.headers] == [
        "content-type",
        "content-length",
        "cache-control",
        "x-request-id",
        "x-content-type-options",
        "server",
        "date",
    ]
    assert (answer.header("content-type"), answer.header("cache-control")) == ("application/json", "no-store")


def test_a02_empty_body(service: RunningService) -> None:
    """400 that says what to send."""
    message = "The body is empty: send a JSON object with tenantId, applicationId, applicationSecret"
    assert_error(ask_for_token(service, b"", [JSON_TYPE, ("Content-Length", "0")]).answer, 400, message)
    assert_error(ask_for_token(service, b"", [JSON_TYPE]).answer, 400, message)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"1", b"true", b"-0", b"1e400", b" [ ] "], ids=repr)
def test_a03_body_must_be_an_object(service: RunningService, body: bytes) -> None:
    """Any other JSON value is refused, and told apart from what is no JSON."""
    _refuse(service, body, NOT_AN_OBJECT)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"nan", b"+1", b"01", b"1.", b".5", b"0x1f"])
@pytest.mark.parametrize("form", [b'{"a":%b}', b'{"tenantId":%b}', b"[%b]", b'{"a":{"b":[%b]}}'])
def test_a05_numbers_that_json_does_not_have(service: RunningService, form: bytes, number: bytes) -> None:
    """Anywhere in the body."""
    _refuse(service, form % number, NOT_JSON)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 8000, id="lists-open"),
        pytest.param(b'{"":' * 2000, id="objects-open"),
        pytest.param(b"[" * 4000 + b"]" * 4000, id="lists-closed"),
        pytest.param(b'{"a":' * 1300 + b"1" + b"}" * 1300, id="objects-closed"),
    ],
)
def test_a06_nesting_within_the_largest_body(service: RunningService, body: bytes) -> None:
    """Nesting deeper than the parser goes is no crash."""
    answer = ask_for_token(service, body, [JSON_TYPE]).answer
    assert answer is not None
    assert_error(answer, 400, json.loads(answer.body)["message"])


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"":' * 100_000], ids=["lists", "objects"])
def test_a06_nesting_beyond_the_largest_body(service: RunningService, body: bytes) -> None:
    """413 before anything is parsed."""
    _refuse(service, body, TOO_LARGE, 413)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("order", ["good-last", "good-first", "both-good"])
def test_a07_member_given_twice(
    service: RunningService, application: ExampleApplication, field: str, order: str
) -> None:
    """Neither the first nor the last wins: a proxy in front may have read the other."""
    good = token_body(application)[1:-1]
    value = application.credentials()[field] if order == "both-good" else "x"
    second = json.dumps({field: value}).encode()[1:-1]
    body = b"{%b, %b}" % ((second, good) if order == "good-last" else (good, second))
    _refuse(service, body, TWICE)


def test_a07_unknown_or_nested_member_given_twice(service: RunningService, application: ExampleApplication) -> None:
    """Not even one that is ignored."""
    good = token_body(application)[1:-1]
    _refuse(service, b'{%b,"a":1,"a":1}' % good, TWICE)
    _refuse(service, b'{%b,"a":{"b":1,"b":2}}' % good, TWICE)


def test_a08_member_given_twice_by_an_escape(service: RunningService, application: ExampleApplication) -> None:
    r"""``application\u0049d`` is ``applicationId``."""
    _refuse(service, b'{%b,"application\\u0049d":"x"}' % token_body(application)[1:-1], TWICE)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("9" * 4000, id="a10-4000-digits"),
        pytest.param("9" * 4301, id="a10-4301-digits"),
        pytest.param("1e400", id="a11-1e400"),
        pytest.param("-0", id="a11-minus-zero"),
        pytest.param("1.0", id="a11-1.0"),
        pytest.param('{"$ne":null}', id="a12-operator"),
        pytest.param('["x"]', id="a12-list"),
        pytest.param("true", id="a12-true"),
        pytest.param("null", id="own-null"),
        pytest.param("[]", id="own-empty-list"),
        pytest.param("{}", id="own-empty-object"),
    ],
)
def test_a10_a11_a12_field_must_be_a_string(
    service: RunningService, application: ExampleApplication, field: str, value: str
) -> None:
    """Nothing is made a string of."""
    body = token_body(application, **{field: "@"}).replace(b'"@"', value.encode())
    answer = ask_for_token(service, body, [JSON_TYPE]).answer
    # Python itself refuses to read an integer of more than 4300 digits.
    assert_error(answer, 400, NOT_JSON if len(value) > 4300 else f"{field} must be a string")


@pytest.mark.parametrize("field", FIELDS)
def test_a13_field_is_missing(service: RunningService, application: ExampleApplication, field: str) -> None:
    """The field is named."""
    _refuse(service, token_body(application, **{field: ...}), f"{field} is missing")


@pytest.mark.parametrize("field", FIELDS)
def test_a13_name_of_a_field_is_exact(service: RunningService, application: ExampleApplication, field: str) -> None:
    """Another case, or a space, is another member."""
    for other in (field.upper(), field.lower(), f"{field} ", f" {field}", f"{field}\0"):
        value = application.credentials()[field]
        _refuse(service, token_body(application, **{field: ..., other: value}), f"{field} is missing")


@pytest.mark.parametrize("field", FIELDS)
def test_a14_field_is_empty(service: RunningService, application: ExampleApplication, field: str) -> None:
    """The field is named."""
    _refuse(service, token_body(application, **{field: ""}), f"{field} is empty")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("form", [" {}", "{} ", "\u00a0{}", "{}\u200b", "\ufeff{}", " ", "   "], ids=repr)
def test_a15_field_is_not_trimmed(
    service: RunningService, application: ExampleApplication, field: str, form: str
) -> None:
    """Space around a right value makes it a wrong one."""
    value = form.format(application.credentials()[field])
    _refuse(service, token_body(application, **{field: value}), INVALID_CREDENTIALS, 401)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("character", ["\0", "\t", "\r", "\n", "\x1b", "\x7f", "\ud800"], ids=ascii)
@pytest.mark.parametrize("place", ["before", "after", "alone"])
def test_a15_a16_control_characters(
    service: RunningService, application: ExampleApplication, field: str, character: str, place: str
) -> None:
    """400, before the value reaches a database."""
    good = str(application.credentials()[field])
    value = {"before": character + good, "after": good + character, "alone": character}[place]
    message = f"{field} holds a control character or half of a surrogate pair"
    _refuse(service, token_body(application, **{field: value}), message)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("length", [LARGEST_FIELD + 1, 4096])
def test_a17_field_is_too_long(
    service: RunningService, application: ExampleApplication, field: str, length: int
) -> None:
    """Refused as too long, never cut to a value that is right."""
    value = str(application.credentials()[field]).ljust(length, "x")
    _refuse(service, token_body(application, **{field: value}), f"{field} is longer than {LARGEST_FIELD} characters")


@pytest.mark.parametrize("field", FIELDS)
def test_a17_longest_field(service: RunningService, application: ExampleApplication, field: str) -> None:
    """256 characters are looked at, however many bytes they are."""
    for value in ("x" * LARGEST_FIELD, "\U0001f511" * LARGEST_FIELD):
        _refuse(service, token_body(application, **{field: value}), INVALID_CREDENTIALS, 401)


def test_a17_largest_body(service: RunningService, application: ExampleApplication) -> None:
    """8 192 bytes are read; one more is 413."""
    good = token_body(application)
    answer = ask_for_token(service, good.ljust(8192), [JSON_TYPE]).answer
    assert answer is not None
    assert answer.status == 200
    for size in (8193, 16 * 1024 + 1, 1024 * 1024):
        _refuse(service, good.ljust(size), TOO_LARGE, 413)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("_", "\uff3f", id="a18-full-width-low-line"),
        pytest.param("e", "\u0435", id="a18-cyrillic-e"),
        pytest.param("a", "\u0430", id="a18-cyrillic-a"),
        pytest.param("s", "\u017f", id="a18-long-s"),
        pytest.param("e", "\u00e9", id="a19-composed"),
        pytest.param("e", "e\u0301", id="a19-decomposed"),
        pytest.param("_", "%", id="a21-percent"),
        pytest.param("_", "-", id="own-hyphen"),
    ],
)
def test_a18_a19_look_alikes(
    service: RunningService, application: ExampleApplication, field: str, old: str, new: str
) -> None:
    """Nothing is normalised before it is compared."""
    value = str(application.credentials()[field])
    changed = value.replace(old, new) if old in value else new + value
    _refuse(service, token_body(application, **{field: changed}), INVALID_CREDENTIALS, 401)


@pytest.mark.parametrize("field", FIELDS)
def test_a20_a24_case_matters(service: RunningService, application: ExampleApplication, field: str) -> None:
    """IDs and secrets are written in one way only."""
    value = str(application.credentials()[field])
    for other in (value.upper(), value.swapcase(), value.title()):
        _refuse(service, token_body(application, **{field: other}), INVALID_CREDENTIALS, 401)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value",
    [
        "' OR '1'='1",
        "x' UNION SELECT * FROM secrets;--",
        "%",
        "_",
        "*",
        "'; DROP TABLE secrets;--",
        ":digest",
        "?",
        "$1",
        "../../etc/passwd",
        "${jndi:ldap://127.0.0.1/a}",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "%s%s%s%n",
        "NULL",
        "undefined",
        "\U0001f600",
        "\u202eabc",
    ],
)
def test_a21_injections(service: RunningService, application: ExampleApplication, field: str, value: str) -> None:
    """Text is only ever a value, and is not repeated."""
    _refuse(service, token_body(application, **{field: value}), INVALID_CREDENTIALS, 401)


def test_a24_secret_with_one_change(service: RunningService, application: ExampleApplication) -> None:
    """Each character counts; none may be missing or added."""
    secret = application.secret
    changed = [secret[:n] + ("A" if secret[n] != "A" else "B") + secret[n + 1 :] for n in range(len(secret))]
    for wrong in [*changed, secret[:-1], secret[1:], secret + "A", "A" + secret, secret * 2, secret[::-1]]:
        answer = service.ask(application, applicationSecret=wrong)
        assert (answer.status_code, answer.json()["message"]) == (401, INVALID_CREDENTIALS)


def test_a25_digest_is_no_secret(service: RunningService, application: ExampleApplication) -> None:
    """What the registry stores opens nothing."""
    stored = digest(application.secret)
    for form in (stored.hex(), stored.hex().upper(), base64.b64encode(stored).decode(), f"sensos_sk_{stored.hex()}"):
        _refuse(service, token_body(application, applicationSecret=form), INVALID_CREDENTIALS, 401)


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({"role": "admin", "expiresIn": 999_999, "lifetime": 999_999}, id="a30-lifetime"),
        pytest.param({"aud": "other", "audience": "other", "iss": "evil", "sub": "app_other"}, id="a30-claims"),
        pytest.param({"scope": "admin", "scopes": ["admin"]}, id="a31-scope"),
        pytest.param({"__proto__": {"scope": "admin"}, "constructor": {"x": 1}}, id="a32-prototype"),
        pytest.param({"tenant_id": "x", "application_id": "y", "secret": "z"}, id="own-snake-case"),
        pytest.param({"": "", "\u0000": 1, "\U0001f511": [[[]]]}, id="own-odd-names"),
    ],
)
def test_a30_a31_a32_unknown_members_change_nothing(
    service: RunningService, application: ExampleApplication, extra: dict[str, object]
) -> None:
    """They are ignored, never honoured."""
    answer = service.ask(application, **extra)
    assert answer.status_code == 200
    assert answer.json()["expiresIn"] == 36_000
    seen = service.client.get("/v1/endpoint", headers={"Authorization": f"Bearer {answer.json()['accessToken']}"})
    assert seen.json()["scopes"] == ["devices:read", "devices:write"]
    assert seen.json()["applicationId"] == application.application_id


@pytest.mark.parametrize("after", [b"x", b"{}", b"[]", b",", b"}", b"\0", b"\n{}", b"//", b"\x1a", b'""'], ids=repr)
def test_a33_nothing_may_follow_the_object(
    service: RunningService, application: ExampleApplication, after: bytes
) -> None:
    """One JSON text is one body."""
    _refuse(service, token_body(application) + after, NOT_JSON)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_a34_other_encodings(service: RunningService, application: ExampleApplication, encoding: str) -> None:
    """UTF-8 without a byte order mark, and nothing else."""
    _refuse(service, token_body(application).decode().encode(encoding), NOT_JSON)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff", id="no-byte-of-utf-8"),
        pytest.param(b"\xc0\xaf", id="overlong"),
        pytest.param(b"\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xf4\x90\x80\x80", id="beyond-unicode"),
        pytest.param(b"\xe2\x82", id="cut-off"),
        pytest.param(b"\x80", id="continuation-alone"),
    ],
)
def test_a35_bytes_that_are_not_utf_8(
    service: RunningService, application: ExampleApplication, field: str, data: bytes
) -> None:
    """In a value as in a name that is ignored."""
    _refuse(service, token_body(application, **{field: "@"}).replace(b"@", data), NOT_JSON)
    _refuse(service, b'{"%b":1,%b' % (data, token_body(application)[1:]), NOT_JSON)


@pytest.mark.parametrize(
    "form",
    [
        b"{/**/%b}",
        b"{%b}//",
        b"{%b,}",
        b"{,%b}",
        b"{%b",
        b"%b}",
        b"%b",
        b"({%b})",
        b")]}'\n{%b}",
        b"[{%b}",
        b"{%b;}",
        b"{%b,a:1}",
        b"{%b,'a':1}",
        b'{%b,"a":}',
        b'{%b,"a"}',
        b'{%b,"a":1 "b":2}',
        b'{%b,"a":"\\x41"}',
        b'{%b,"a":"\\u00g0"}',
        b'{%b,"a":"\t"}',
        b'{%b,"a":tru}',
    ],
    ids=repr,
)
def test_a37_nearly_json(service: RunningService, application: ExampleApplication, form: bytes) -> None:
    """Comments, trailing commas, single quotes, and what else other parsers let pass, around good credentials."""
    _refuse(service, form % token_body(application)[1:-1], NOT_JSON)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"tenantId=x&applicationId=y&applicationSecret=z", id="own-form"),
        pytest.param(b"<tenantId>x</tenantId>", id="own-xml"),
        pytest.param(b"---\ntenantId: x\n", id="own-yaml"),
        pytest.param(b"\x83\xa8tenantId\xa1x", id="own-msgpack"),
        pytest.param(gzip.compress(b"{}", mtime=0), id="own-gzip"),
        pytest.param(zlib.compress(b"{}"), id="own-deflate"),
        pytest.param(b"\x00" * 8192, id="own-nul-bytes"),
        pytest.param(b" " * 8192, id="own-spaces"),
        pytest.param(b'"' * 8192, id="own-quotation-marks"),
        pytest.param(b"\\" * 8192, id="own-backslashes"),
        pytest.param(b"{" + b'"a":1,' * 1300 + b"}", id="own-1300-members"),
    ],
)
def test_other_formats_and_fillings(service: RunningService, body: bytes) -> None:
    """What is no JSON at all is told so."""
    _refuse(service, body, NOT_JSON)


def test_json_in_every_legal_spelling(service: RunningService, application: ExampleApplication) -> None:
    """White space, escapes and order are the sender's choice (RFC 8259): the credentials are the same."""
    escaped = "".join(f"\\u{ord(character):04x}" for character in application.secret)
    spellings = [
        json.dumps(application.credentials(), indent=4).encode(),
        b"\n\t\r {} ".replace(b"{}", token_body(application)),
        json.dumps(dict(reversed(application.credentials().items()))).encode(),
        token_body(application).replace(application.secret.encode(), escaped.encode()),
        token_body(application).replace(b"tenantId", b"tenant\\u0049d"),
        token_body(application, note="\u2028 \U0001f511 \\ \" '"),
        token_body(application, note=1e308, more=[None, True, -1.5e-7]),
    ]
    for body in spellings:
        answer = ask_for_token(service, body, [JSON_TYPE]).answer
        assert answer is not None
        assert answer.status == 200, body
