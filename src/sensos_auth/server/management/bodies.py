"""The body of a request: JSON, in full, of at most 64 KiB, read to the letter."""

from sensos_auth.model.errors import InvalidInput
from sensos_auth.server.asgi import Receive, Scope
from sensos_auth.server.request_body import read_json_body
from sensos_auth.verifying.strict_json import parse_object

LARGEST_BODY = 64 * 1024
MERGE_PATCH = "application/merge-patch+json"
_MERGE_PATCH = MERGE_PATCH.encode()


async def read_document(scope: Scope, receive: Receive, *, is_patch: bool) -> dict[str, object]:
    """Return the JSON object in the body; a patch may be typed as a merge patch as well (RFC 7396 section 4).

    Raises Refusal (413, 415, 400), and InvalidInput for a body that is no JSON object, or holds a member twice.
    """
    body = await read_json_body(_typed_as_json(scope) if is_patch else scope, receive, LARGEST_BODY)
    if not body:
        raise InvalidInput("The body is empty: send a JSON object")
    try:
        return parse_object(body)
    except ValueError:
        raise InvalidInput("The body is not one valid JSON object (RFC 8259, UTF-8) with each member once") from None


def announces_body(scope: Scope) -> bool:
    """Tell whether a body follows the request's header (RFC 9112 section 6.3)."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _typed_as_json(scope: Scope) -> Scope:
    headers = [
        (name, value.lower().replace(_MERGE_PATCH, b"application/json", 1))
        if name == b"content-type" and value.lower().startswith(_MERGE_PATCH)
        else (name, value)
        for name, value in scope["headers"]
    ]
    return {**scope, "headers": headers}
