"""The body of a token request, read strictly (RFC 8259).

Most bodies are read by msgspec alone. Its verdict is final only where nothing is left to doubt; every other body is
read again, slowly and to the letter, to refuse what msgspec lets pass (a member given twice) and to say what is wrong.
"""

import json
import re
from typing import Any

import msgspec

from sensos_auth.issuing.issuer import LARGEST_FIELD, ApplicationCredentials
from sensos_auth.model.errors import InvalidInput

_FIELDS = ("tenantId", "applicationId", "applicationSecret")
# Three members with string values have six strings. With twelve quotation marks there is no room for anything else.
_QUOTATION_MARKS = 12
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")

_decode = msgspec.json.Decoder(ApplicationCredentials).decode


def parse_token_request(body: bytes) -> ApplicationCredentials:
    """Return the credentials in the body; raises InvalidInput that names the field at fault and repeats nothing."""
    if body.count(b'"') == _QUOTATION_MARKS and b"\\" not in body and b"\x7f" not in body:
        try:
            return _decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            pass
    return _read_to_the_letter(body)


def _read_to_the_letter(body: bytes) -> ApplicationCredentials:
    if not body:
        raise InvalidInput(f"The body is empty: send a JSON object with {', '.join(_FIELDS)}")
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_unique_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not valid JSON (RFC 8259, UTF-8)") from None
    if not isinstance(document, dict):
        raise InvalidInput(f"The body must be a JSON object with {', '.join(_FIELDS)}")
    return ApplicationCredentials(*(_text(document, field) for field in _FIELDS))


def _text(document: dict[str, Any], field: str) -> str:
    if field not in document:
        raise InvalidInput(f"{field} is missing")
    value = document[field]
    if not isinstance(value, str):
        raise InvalidInput(f"{field} must be a string")
    if not value:
        raise InvalidInput(f"{field} is empty")
    if len(value) > LARGEST_FIELD:
        raise InvalidInput(f"{field} is longer than {LARGEST_FIELD} characters")
    if _CONTROL_CHARACTER.search(value) or (not value.isascii() and not _is_unicode(value)):
        raise InvalidInput(f"{field} holds a control character or half of a surrogate pair")
    return value


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidInput("A member of a JSON object is given twice")
    return members


def _no_constant(_: str) -> None:
    raise ValueError
