"""What the observers of an outage saw, in one row for each kind."""

from collections import Counter
from dataclasses import dataclass
from itertools import chain, takewhile

from benchmarks.nodes.observing import Answer, Observer
from benchmarks.nodes.outage import Outage


@dataclass(frozen=True)
class Seen:
    """What one kind of observer saw, at all nodes together.

    Times are in seconds: ``last_good`` and ``first_bad`` after the database went, ``first_good`` and ``last_bad``
    after it was back, at the node that was the last. They are None where there was no such answer, or nothing bad.
    ``during`` counts what came in between, ``slowest`` is the longest time that an answer took.
    """

    who: str
    good: str
    during: dict[str, int]
    slowest: float
    last_good: float | None = None
    first_bad: float | None = None
    first_good: float | None = None
    last_bad: float | None = None

    @property
    def is_untouched(self) -> bool:
        """Tell whether all was good all the while."""
        return set(self.during) == {self.good} and self.first_bad is None

    def row(self) -> list[str]:
        """Return a row of the table."""
        answers = ", ".join(f"{what}: {number:,}" for what, number in sorted(self.during.items()))
        times = (self.last_good, self.first_bad, self.first_good, self.last_bad)
        return [self.who, answers, f"{self.slowest:.2f}", *("" if time is None else f"{time:.2f}" for time in times)]


def what_was_seen(outage: Outage) -> list[Seen]:
    """Return what each kind of observer saw."""
    kinds = dict.fromkeys(observer.who for observer in outage.observers)
    return [_seen(outage, [observer for observer in outage.observers if observer.who == who]) for who in kinds]


def _seen(outage: Outage, observers: list[Observer]) -> Seen:
    good = observers[0].good
    answers = [answer for observer in observers for answer in observer.answers if answer.ended > outage.gone]
    during = [answer for answer in answers if answer.began < outage.back]
    bad = [answer for answer in answers if answer.what != good]
    seen = Seen(
        who=observers[0].who,
        good=good,
        during=dict(Counter(answer.what for answer in during)),
        slowest=max((answer.ended - answer.began for answer in during), default=0.0),
    )
    if not bad:
        return seen
    later = [[answer for answer in observer.answers if answer.ended > outage.back] for observer in observers]
    return Seen(
        **vars(seen)
        | {
            "last_good": _last(list(chain.from_iterable(_last_good(outage, each) for each in observers)), outage.gone),
            "first_bad": min(answer.ended for answer in bad) - outage.gone,
            "first_good": _last([_first(each, good) for each in later], outage.back),
            "last_bad": _last([answer.ended for answer in bad if answer.ended > outage.back], outage.back),
        }
    )


def _last_good(outage: Outage, observer: Observer) -> list[float]:
    """Return when the last good answer before the first other one came, if there was one since the database went."""
    since = [answer for answer in observer.answers if answer.ended > outage.gone]
    good = list(takewhile(lambda answer: answer.what == observer.good, since))
    return [good[-1].ended] if good and len(good) < len(since) else []


def _first(answers: list[Answer], good: str) -> float:
    return next((answer.ended for answer in answers if answer.what == good), float("inf"))


def _last(times: list[float], since: float) -> float | None:
    return max(times) - since if times else None
