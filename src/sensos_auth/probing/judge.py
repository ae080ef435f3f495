"""What an answer says about the service: which faults it shows, if any."""

from collections.abc import Iterator
from dataclasses import dataclass

from sensos_auth.probing.challenge import bearer_challenge
from sensos_auth.probing.exchange import Answer, Silence
from sensos_auth.probing.faults import (
    BREAKS_DOWN,
    ERROR_WITHOUT_TOKEN,
    HANGS,
    NO_CHALLENGE,
    NO_ERROR,
    NO_INSUFFICIENT_SCOPE,
    NOT_401,
    NOT_403,
    NOT_THE_CONTRACT,
    WRONG_ERROR,
    Fault,
)
from sensos_auth.probing.leaks import leaks
from sensos_auth.probing.probe import Expectation, Probe

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_REFUSED_AS_HTTP = frozenset((400, 413, 414, 431))
_BREAKDOWNS = range(500, 600)
_NOT_A_BREAKDOWN = frozenset((501, 505))  # what it does not implement: a method, a version of HTTP
_LARGE = 16_384  # bytes; HTTP servers take 8 KiB of headers and more
_CONTRACT = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the service answers to a good token, and to a path that it can't know, without a token."""

    good: Answer
    nowhere: Answer | Silence


def judge(probe: Probe, answer: Answer | Silence, baseline: Baseline, *, contract: bool) -> Iterator[Fault]:
    """Yield the faults that the answer shows. ``contract`` asks for this product's own 401 as well."""
    if isinstance(answer, Silence):
        yield from _judge_silence(probe, answer)
        return
    if probe.expectation is Expectation.NOT_BELIEVED:
        if probe.claimed.encode() in answer.body:
            yield probe.fault
        return
    if probe.expectation is Expectation.ENTRY:
        if not answer.is_success:
            yield probe.fault
        return
    if _is_entry(probe, answer, baseline):
        yield probe.fault
        return
    yield from leaks(answer, probe.shown)
    if answer.status in _BREAKDOWNS and answer.status not in _NOT_A_BREAKDOWN:
        yield BREAKS_DOWN
    elif answer.status == _UNAUTHORIZED:
        yield from _judge_401(probe, answer, contract=contract)
    else:
        yield from _judge_other_status(probe, answer)


def _is_entry(probe: Probe, answer: Answer, baseline: Baseline) -> bool:
    if not answer.is_success:
        return False
    if probe.request.method == "OPTIONS":
        # Which methods there are, and for which origins, is no secret (RFC 9110 section 9.3.7).
        is_about_methods = any(
            name == "allow" or name.startswith("access-control-allow-") for name, _ in answer.headers
        )
        return not is_about_methods or answer.body == baseline.good.body != b""
    # The page that it answers with wherever there is nothing opens nothing.
    nowhere = baseline.nowhere
    is_nowhere = isinstance(nowhere, Answer) and (answer.status, answer.body) == (nowhere.status, nowhere.body)
    return not (is_nowhere and answer.body and probe.expectation is Expectation.NO_ENTRY)


def _judge_silence(probe: Probe, silence: Silence) -> Iterator[Fault]:
    if silence is Silence.LATE:
        yield HANGS
    elif silence is Silence.UNREACHABLE or not _may_be_cut_off(probe):
        yield BREAKS_DOWN


def _may_be_cut_off(probe: Probe) -> bool:
    # What the HTTP server refuses: an odd request line, and a header of which it stopped reading.
    is_large = len(probe.request.to_bytes()) > _LARGE
    return probe.expectation is Expectation.NO_ENTRY or (probe.expectation is Expectation.MALFORMED and is_large)


def _judge_401(probe: Probe, answer: Answer, *, contract: bool) -> Iterator[Fault]:
    challenge = bearer_challenge(answer.values("www-authenticate"))
    if probe.expectation is Expectation.INSUFFICIENT_SCOPE:
        yield NOT_403
    elif challenge is None:
        yield NO_CHALLENGE
    else:
        yield from _judge_error(probe.expectation, challenge.get("error"))
    if contract and not _is_the_contract(probe, answer):
        yield NOT_THE_CONTRACT


def _judge_error(expectation: Expectation, error: str | None) -> Iterator[Fault]:
    match expectation, error:
        case Expectation.MISSING, str():
            yield ERROR_WITHOUT_TOKEN
        case Expectation.INVALID, None:
            yield NO_ERROR
        case (Expectation.INVALID, str()) if error != "invalid_token":
            yield WRONG_ERROR
        case (Expectation.MALFORMED, str()) if error not in {"invalid_token", "invalid_request"}:
            yield WRONG_ERROR


def _judge_other_status(probe: Probe, answer: Answer) -> Iterator[Fault]:
    match probe.expectation:
        case Expectation.MISSING | Expectation.INVALID:
            yield NOT_401
        case Expectation.MALFORMED if answer.status not in _REFUSED_AS_HTTP:
            yield NOT_401
        case Expectation.INSUFFICIENT_SCOPE if answer.status != _FORBIDDEN:
            yield NOT_403
        case Expectation.INSUFFICIENT_SCOPE:
            challenge = bearer_challenge(answer.values("www-authenticate")) or {}
            if challenge.get("error") != "insufficient_scope":
                yield NO_INSUFFICIENT_SCOPE
        case _:  # refused, and nobody says with which status
            pass


def _is_the_contract(probe: Probe, answer: Answer) -> bool:
    is_body_right = answer.body == _CONTRACT or probe.request.method == "HEAD"
    media_type = "".join(answer.values("content-type")).partition(";")[0].strip().lower()
    return is_body_right and media_type == "application/json" and "no-store" in "".join(answer.values("cache-control"))
