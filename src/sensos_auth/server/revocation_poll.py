"""The query of a poll of the revocation feed, parsed and checked."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation_page import LONGEST_WAIT

_HIGHEST_VERSION = (1 << 63) - 1
_MOST_KEYS = 20
_MOST_PARAMETERS = 50

_VERSION = re.compile(r"[0-9]{1,19}")
_SECONDS = re.compile(r"[0-9]{1,2}(?:\.[0-9]{1,9})?")
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class RevocationPoll:
    """What a verifier asks for: the revocations after the version ``since``, waiting up to ``wait`` seconds for one.

    ``verifier`` is what it calls itself, empty if it does not say, and ``kids`` are the signing keys that it holds.
    """

    since: int = 0
    wait: float = 0.0
    verifier: str = ""
    kids: tuple[str, ...] = ()


def parse_revocation_poll(query: bytes) -> RevocationPoll:
    """Return what the query string asks for; raises InvalidInput that names the parameter. Unknown ones are ignored."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise InvalidInput("the query has too many parameters") from None
    shown: dict[str, str] = {}
    for name, value in pairs:
        if name in {"since", "wait", "verifier", "keys"}:
            if name in shown:
                raise InvalidInput(f"{name} is given more than once")
            shown[name] = value
    return RevocationPoll(
        since=_since(shown.get("since", "0")),
        wait=_wait(shown.get("wait", "0")),
        verifier=_verifier(shown["verifier"]) if "verifier" in shown else "",
        kids=_kids(shown.get("keys", "")),
    )


def _since(text: str) -> int:
    if not _VERSION.fullmatch(text) or int(text) > _HIGHEST_VERSION:
        raise InvalidInput(f"since must be a registry version: a whole number from 0 to {_HIGHEST_VERSION}")
    return int(text)


def _wait(text: str) -> float:
    if not _SECONDS.fullmatch(text) or float(text) > LONGEST_WAIT:
        raise InvalidInput(f"wait must be a number of seconds from 0 to {LONGEST_WAIT}")
    return float(text)


def _verifier(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InvalidInput("verifier must be a name of 1 to 64 letters, digits and . _ : -")
    return text


def _kids(text: str) -> tuple[str, ...]:
    kids = tuple(text.split(",")) if text else ()
    if len(kids) > _MOST_KEYS or not all(_KEY_ID.fullmatch(kid) for kid in kids):
        raise InvalidInput(f"keys must be at most {_MOST_KEYS} key IDs, separated by commas")
    return kids
