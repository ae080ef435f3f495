"""``--wait``: after something was taken away, until the last live verifier has heard of it, and how that is told."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from sensos_auth.cli.naming_verifiers import name_verifiers, named_in_json
from sensos_auth.cli.printing import print_json
from sensos_auth.registry import Registry
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.registry.verifiers import VerifierReport, live_verifiers

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LOOKS_EVERY = 0.02  # seconds
_LONGEST_WAIT = 3600.0


def wait_options(function: _Function) -> _Function:
    """Add ``--wait`` and ``--wait-timeout`` to a command, which gets ``wait`` and ``wait_timeout`` (seconds)."""
    timeout = click.option(
        "--wait-timeout",
        type=click.FloatRange(0, _LONGEST_WAIT),
        callback=_a_number,
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        help="How long --wait waits at most.",
    )
    wait = click.option(
        "--wait",
        is_flag=True,
        help="Wait until every live verifier refuses what was taken away; exit status 1 if one does not confirm it.",
    )
    return wait(timeout(function))


def _a_number(context: click.Context, option: click.Parameter, seconds: float) -> float:
    if math.isnan(seconds):  # which no range excludes, and no waiting reaches
        raise click.BadParameter("this is not a number of seconds", context, option)
    return seconds


@dataclass(frozen=True, slots=True)
class Hearing:
    """How many verifiers were counted on, which of them have not confirmed, and after how many seconds that was so.

    ``behind`` are live, ``gone`` went away before they confirmed: they may have ended, or be cut off and not know.
    """

    live: int
    behind: list[VerifierReport]
    gone: list[VerifierReport]
    seconds: float

    @property
    def confirmed(self) -> int:
        """How many have confirmed."""
        return self.live - len(self.behind) - len(self.gone)

    def in_words(self) -> str:
        """Return one sentence for people."""
        if not self.live:
            return "no verifier reports to the revocation feed, so none was waited for"
        sentence = f"refused by {self.confirmed} of {self.live} verifiers after {self.seconds:.1f} s"
        if self.behind:
            sentence += f"; not confirmed by {name_verifiers(self.behind)}"
        if self.gone:
            sentence += f"; went away before confirming: {name_verifiers(self.gone)}"
        return sentence

    def members(self) -> dict[str, object]:
        """Return the same for programs."""
        return {
            "live": self.live,
            "confirmed": self.confirmed,
            "seconds": round(self.seconds, 3),
            "behind": named_in_json(self.behind),
            "gone": named_in_json(self.gone),
        }


def wait_for_verifiers(registry: Registry, version: int, timeout: float) -> Hearing:
    """Return as soon as every live verifier holds the registry version, or after ``timeout`` seconds.

    A verifier that goes away meanwhile is waited for no longer than it counts as live. That is no confirmation.
    """
    started = time.monotonic()
    last_words: dict[tuple[str, str], VerifierReport] = {}
    while True:
        with registry.view() as view:
            live = {(each.application_id, each.name): each for each in live_verifiers(view, unix_milliseconds())}
        last_words |= live
        seconds = time.monotonic() - started
        behind = [report for report in live.values() if report.version < version]
        if not behind or seconds >= timeout:
            gone = [report for who, report in last_words.items() if who not in live and report.version < version]
            return Hearing(len(last_words), behind, gone, seconds)
        time.sleep(_LOOKS_EVERY)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did: ``members`` for programs, ``show`` prints it for people; both as of a registry version."""

    version: int
    members: Mapping[str, object]
    show: Callable[[], None]


def conclude(registry: Registry, done: Done, *, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Print what was done; with ``wait``, also what the verifiers confirm, and end with status 1 if one does not."""
    if not as_json:
        done.show()
    hearing = wait_for_verifiers(registry, done.version, wait_timeout) if wait else None
    if as_json:
        print_json({**done.members} if hearing is None else {**done.members, "verifiers": hearing.members()})
    if hearing is not None:
        click.echo(hearing.in_words(), err=as_json)
        if hearing.confirmed < hearing.live:
            click.get_current_context().exit(1)
