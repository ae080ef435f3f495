"""Reading a JSON body: the right type, not too large, and whole in time."""

import asyncio
import re

from sensos_auth.server.answers import Answer, Refusal, error_answer
from sensos_auth.server.asgi import Receive, Scope

DEADLINE_SECONDS = 10.0

_JSON_TYPE = re.compile(rb'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?[ \t]*', re.IGNORECASE)
_LONGEST_TYPE = 128
_CLOSE = (b"connection", b"close")
_WRONG_TYPE = error_answer(415, "Send the body as Content-Type: application/json in UTF-8", _CLOSE)
_TWO_TYPES = error_answer(400, "Send one Content-Type header", _CLOSE)
_ENCODED = error_answer(415, "Send the body without Content-Encoding", _CLOSE)
_TOO_SLOW = error_answer(408, f"The body did not arrive within {DEADLINE_SECONDS:.0f} seconds", _CLOSE)
_CUT_OFF = error_answer(400, "The body ended early or is framed wrongly", _CLOSE)


async def read_json_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """Return the request's body of at most ``largest`` bytes, not parsed yet.

    Raises Refusal: 415 for another type or an encoding, 413 for a larger one, 400 for one that is cut off, 408 when it
    has not arrived whole after 10 seconds.
    """
    _check_headers(scope, largest)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body", False) and len(body) <= largest:
                message = await receive()
                body += message.get("body", b"")
    except TimeoutError:
        raise Refusal(_TOO_SLOW) from None
    if message["type"] == "http.disconnect":
        raise Refusal(_CUT_OFF)
    if len(body) > largest:
        raise Refusal(_too_large(largest))
    return body


def _check_headers(scope: Scope, largest: int) -> None:
    types = 0
    has_length = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            types += 1
            if len(value) > _LONGEST_TYPE or not _JSON_TYPE.fullmatch(value):
                raise Refusal(_WRONG_TYPE)
        elif name == b"content-length":
            if int(value) > largest:
                raise Refusal(_too_large(largest))
            has_length = True
        elif name == b"content-encoding":
            raise Refusal(_ENCODED)
    if types != 1:
        raise Refusal(_TWO_TYPES if types else _WRONG_TYPE)
    if not has_length and not _is_framed_plainly(scope):
        raise Refusal(_CUT_OFF)


def _is_framed_plainly(scope: Scope) -> bool:
    # The HTTP server takes any list that ends in "chunked", and decodes nothing else (RFC 9112 section 6.1).
    codings = [value.lower() for name, value in scope["headers"] if name == b"transfer-encoding"]
    return codings in ([], [b"chunked"])


def _too_large(largest: int) -> Answer:
    return error_answer(413, f"The body is larger than {largest} bytes", _CLOSE)
