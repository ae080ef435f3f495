"""Whether the answers to bad tokens differ: then they tell which check a token failed."""

import re
from collections.abc import Iterable

from sensos_auth.probing.exchange import Answer
from sensos_auth.probing.probe import Expectation, Probe

_UNAUTHORIZED = 401
_CHANGES_BY_ITSELF = re.compile(r"[0-9a-fA-F-]{8,}|[0-9]+")  # request IDs, times


def distinct_answers(answers: Iterable[tuple[Probe, Answer]]) -> list[tuple[Probe, Answer]]:
    """Return one probe for each kind of 401 that bad tokens got: a single one where nothing can be told from them."""
    kinds: dict[tuple[str, str], tuple[Probe, Answer]] = {}
    for probe, answer in answers:
        if probe.expectation is Expectation.INVALID and answer.status == _UNAUTHORIZED:
            body, challenge = answer.body.decode("utf-8", "replace"), ", ".join(answer.values("www-authenticate"))
            kinds.setdefault((_masked(body, probe.shown), _masked(challenge, probe.shown)), (probe, answer))
    return list(kinds.values())


def _masked(text: str, shown: str) -> str:
    # A token that comes back is a leak of another kind.
    for part in (shown, *shown.split(".")) if shown else ():
        text = text.replace(part, "") if part else text
    return _CHANGES_BY_ITSELF.sub("#", text)
