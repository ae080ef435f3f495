"""What the token service answers, and what becomes of it: a token, or a failure that names what to do next."""

import json
from dataclasses import dataclass, field

from sensos_auth.model.lifetime import LONGEST_LIFETIME

TOKEN_PATH = "/v1/applications/token"  # noqa: S105 - a path
_LONGEST_TOKEN = 16 * 1024
_UNAUTHORIZED = 401
_OK = 200
_FIRST_REDIRECT = 300
_FIRST_REFUSAL = 400
_FIRST_SERVER_ERROR = 500
_TO_BE_REPEATED = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. ``retry_after`` is the header as it was sent."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None


class NoAnswer(Exception):
    """Nothing came back, or not all of it. The text holds nothing of what was sent or received.

    ``is_final`` tells that repeating within seconds does not help.
    """

    def __init__(self, what: str, *, is_final: bool = False) -> None:
        super().__init__(what)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, and its lifetime in seconds as the service said it."""

    token: str = field(repr=False)
    lifetime: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt that brought no token. ``what`` tells in fixed words what happened.

    ``is_final``: repeating does not help. ``is_refusal``: it was the credentials. ``is_setting``: something in the
    configuration is wrong, and ``what`` says so in a whole sentence. ``retry_after`` is the header as it was sent.
    """

    what: str
    is_final: bool = False
    is_refusal: bool = False
    is_setting: bool = False
    retry_after: str | None = None


def judge(answer: Answer) -> Issued | Failed:
    """Return the token of the answer, or why there is none."""
    status = answer.status
    if status == _OK:
        return _parse(answer.body)
    if status == _UNAUTHORIZED:
        return Failed("status 401", is_final=True, is_refusal=True)
    if status in _TO_BE_REPEATED or status >= _FIRST_SERVER_ERROR:
        return Failed(f"status {status}", retry_after=answer.retry_after)
    if _FIRST_REDIRECT <= status < _FIRST_REFUSAL:
        return Failed(
            f"the token service answers with a redirect (status {status}), which is not followed, because the secret "
            "would go with it: set SENSOS_BASE_URL to the address that the API itself has",
            is_final=True,
            is_setting=True,
        )
    return Failed(
        f"the token service does not take the request (status {status}): is SENSOS_BASE_URL the address of the API, "
        "and are SENSOS_TENANT_ID, SENSOS_APPLICATION_ID and SENSOS_APPLICATION_SECRET whole?",
        is_final=True,
        is_setting=True,
    )


def _parse(body: bytes) -> Issued | Failed:
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return Failed("an answer that is not JSON")
    if not isinstance(members, dict):
        return Failed("an answer that is not a JSON object")
    token, lifetime = members.get("accessToken"), members.get("expiresIn")
    if not isinstance(token, str) or not _is_token(token):
        return Failed("an answer without an access token")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int):
        return Failed("an answer whose expiresIn is missing or not a whole number")
    if lifetime <= 0:
        return Failed("an answer whose expiresIn is not more than 0")
    # No token outlives a day, whoever says otherwise.
    return Issued(token, min(lifetime, LONGEST_LIFETIME))


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TOKEN and text.isascii() and text.isprintable() and " " not in text
