"""Reading a JSON body: the right type, not too large, and whole in time."""

import asyncio
import re

from sensos_auth.server.answers import Answer, Refusal, error_answer
from sensos_auth.server.asgi import Receive, Scope
from sensos_auth.server.deadline import Deadline

_SECONDS = 10.0
_DEADLINE = Deadline(_SECONDS)

# With any parameters (RFC 9110 section 8.3.1), but no other charset than JSON's only one (RFC 8259 section 8.1).
_TOKEN = rb"[!#$%&'*+.^_`|~0-9a-z-]+"
_PARAMETER = rb'(?:charset="?utf-?8"?|(?!charset)%b=(?:%b|"[^"\\\\]*"))' % (_TOKEN, _TOKEN)
_JSON_TYPE = re.compile(rb"application/json(?:[ \t]*;[ \t]*%b?)*[ \t]*" % _PARAMETER, re.IGNORECASE)
_LONGEST_TYPE = 128
_CLOSE = (b"connection", b"close")
_WRONG_TYPE = error_answer(415, "Send the body as Content-Type: application/json in UTF-8", _CLOSE)
_TWO_TYPES = error_answer(400, "Send one Content-Type header", _CLOSE)
_ENCODED = error_answer(415, "Send the body without Content-Encoding", _CLOSE)
_TOO_SLOW = error_answer(400, f"The body did not arrive within {_SECONDS:.0f} seconds", _CLOSE)
_CUT_OFF = error_answer(400, "The body ended early or is framed wrongly", _CLOSE)


async def read_json_body(scope: Scope, receive: Receive, largest: int) -> bytes:
    """Return the request's body of at most ``largest`` bytes, not parsed yet.

    Raises Refusal: 415 for another type or an encoding, 413 for a larger one, 400 for one that is cut off or has not
    arrived whole after 10 seconds.
    """
    length = _checked_length(scope, largest)
    reading = asyncio.current_task()
    assert reading is not None
    body: bytes = b""
    _DEADLINE.hold(reading)
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(_CUT_OFF)
            body += message.get("body", b"")
            if len(body) > largest:
                raise Refusal(_too_large(largest))
            # The HTTP server holds the body to its Content-Length, but tells the end with one more message.
            if len(body) == length or not message.get("more_body", False):
                return body
    except asyncio.CancelledError:
        if _DEADLINE.holds(reading):
            raise
        reading.uncancel()
        raise Refusal(_TOO_SLOW) from None
    finally:
        _DEADLINE.let_go(reading)


def _checked_length(scope: Scope, largest: int) -> int | None:
    """Return the Content-Length, or None where there is none; raises Refusal for headers that exclude a JSON body."""
    types = 0
    length = None
    for name, value in scope["headers"]:
        if name == b"content-type":
            types += 1
            if value != b"application/json" and (len(value) > _LONGEST_TYPE or not _JSON_TYPE.fullmatch(value)):
                raise Refusal(_WRONG_TYPE)
        elif name == b"content-length":
            length = int(value)
            if length > largest:
                raise Refusal(_too_large(largest))
        elif name == b"content-encoding":
            raise Refusal(_ENCODED)
    if types != 1:
        raise Refusal(_TWO_TYPES if types else _WRONG_TYPE)
    if length is None and not _is_framed_plainly(scope):
        raise Refusal(_CUT_OFF)
    return length


def _is_framed_plainly(scope: Scope) -> bool:
    # The HTTP server takes any list that ends in "chunked", and decodes nothing else (RFC 9112 section 6.1).
    codings = [value.lower() for name, value in scope["headers"] if name == b"transfer-encoding"]
    return codings in ([], [b"chunked"])


def _too_large(largest: int) -> Answer:
    return error_answer(413, f"The body is larger than {largest} bytes", _CLOSE)
