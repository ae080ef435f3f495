"""JSON objects as RFC 8259 and RFC 7515 section 4 ask for them, and nothing that parsers understand in two ways."""

import json
import math
from typing import NoReturn


def parse_object(document: bytes) -> dict[str, object]:
    """Return the members of the JSON object.

    Raises ValueError for anything else: duplicate members at any depth, NaN and infinities, bytes that are not UTF-8,
    a byte order mark, lone surrogates, nesting that exhausts the interpreter, text before or after the object.
    """
    try:
        text = document.decode()
        value = _decoder.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates, which only an escape can bring
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - malformed input, not a programming error
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a JSON number")


_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_no_constant)
