"""Whether an application secret can be retired: revoked without disturbing anybody.

The evidence is when it was last used, and that another secret of the application was used since: an application that
holds a token asks for none until that expires, and one that is idle for none at all. Uses are written down once a
minute, and the last minute may be lost with the machine; so nothing is called safe that one lost use could refute
soon.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sensos_auth.model.application_secret import Secret
from sensos_auth.model.iso_time import iso_time
from sensos_auth.model.lifetime import LONGEST_LIFETIME
from sensos_auth.registry.transactions import View
from sensos_auth.registry.usage import tokens_alive

# Seconds without use. A day covers the longest token and what runs once a day; the hour, whatever comes late.
QUIET = LONGEST_LIFETIME + 3600


@dataclass(frozen=True, slots=True)
class RetirementAdvice:
    """Whether revoking the secret now disturbs nobody, and in a sentence why or why not.

    ``last_used_at`` and ``tokens_expire_at`` (when the last token that was obtained with it expires) are in UTC
    seconds, ``None`` where no use was recorded. ``tokens_alive`` is how many of those tokens may not have expired; they
    stay good when the secret is revoked.
    """

    is_safe: bool
    says: str
    last_used_at: int | None
    tokens_expire_at: int | None
    tokens_alive: int


class _Evidence(NamedTuple):
    last_used_at: int | None
    tokens_expire_at: int | None
    recorded_from: int | None
    disabled_at: int | None
    others: int
    younger: int
    others_used_at: int | None


def retirement_advice(view: View, secret: Secret) -> RetirementAdvice:
    """Return whether it is safe to revoke the secret now; never that it is where that can't be known.

    ``secret`` is as the view has it.
    """
    evidence = _Evidence(
        *view.statements.retirement_evidence(view.connection, secret_id=secret.secret_id, now=view.now)
    )
    alive = _tokens_alive(view, secret, evidence)
    is_safe, says = _judge(secret, evidence, view.now, alive)
    return RetirementAdvice(is_safe, says, evidence.last_used_at, evidence.tokens_expire_at, alive)


def _tokens_alive(view: View, secret: Secret, evidence: _Evidence) -> int:
    if evidence.last_used_at is None or evidence.tokens_expire_at is None or evidence.tokens_expire_at <= view.now:
        return 0
    # That the last one expires then is known, also where the minute in which it was counted is not written yet.
    return max(1, tokens_alive(view, secret.secret_id, evidence.tokens_expire_at - evidence.last_used_at))


def _judge(secret: Secret, evidence: _Evidence, now: int, alive: int) -> tuple[bool, str]:
    state = secret.state(now)
    if state != "active":
        return True, f"{'revoked' if state == 'revoked' else 'expired'} already: nothing is left to retire"
    if evidence.last_used_at is None and evidence.recorded_from is None:
        return False, "whether it is used is not known: the service has not recorded any use yet"
    since, told = _quiet_since(secret, evidence, now)
    doubt = _doubt(evidence, since, now)
    if doubt is not None:
        holding = "" if not alive else f", and {alive} of its tokens {'is' if alive == 1 else 'are'} alive"
        return False, f"{told}{holding}: {doubt}"
    if evidence.last_used_at is None:
        return True, f"{told}, and another secret is in use: safe to retire"
    expired = (
        "" if evidence.tokens_expire_at is None else f"; its last token expired {_ago(evidence.tokens_expire_at, now)}"
    )
    return True, f"not used for {_span(now - since)}: safe to retire{expired}"


def _quiet_since(secret: Secret, evidence: _Evidence, now: int) -> tuple[int, str]:
    if evidence.last_used_at is not None:
        return evidence.last_used_at, f"last used {_ago(evidence.last_used_at, now)}"
    recorded_from = evidence.recorded_from or 0
    if secret.created_at >= recorded_from:
        return secret.created_at, f"never used since it was made {_ago(secret.created_at, now)}"
    return recorded_from, f"never used since last-use recording began at {iso_time(recorded_from)}"


def _doubt(evidence: _Evidence, since: int, now: int) -> str | None:
    """Return why it is not safe, or not known to be; ``None`` where nothing speaks against it."""
    renewed_by = max(since, evidence.tokens_expire_at or 0)
    if not evidence.others:
        return "not yet, the application has no other good secret"
    if evidence.disabled_at is not None:
        return "not known, the application is disabled and could use none"
    if now - since < QUIET or renewed_by >= now:
        return f"not yet, wait until {iso_time(max(since + QUIET, renewed_by + 1))}"
    if evidence.last_used_at is None and not evidence.younger:
        return "not yet, it is the newest one, and whom it was made for may still begin to use it"
    if evidence.others_used_at is None or evidence.others_used_at <= renewed_by:
        then = "then" if evidence.tokens_expire_at is None else "its last token expired"
        return f"not known, no other secret of the application was used since {then}, so it may simply be idle"
    return None


def _ago(at: int, now: int) -> str:
    return f"{_span(max(0, now - at))} ago"


def _span(seconds: int) -> str:
    for size, unit, most in ((1, "s", 120), (60, "min", 7200), (3600, "h", 172_800)):
        if seconds < most:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} days"
