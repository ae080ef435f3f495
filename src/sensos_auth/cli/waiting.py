"""``--wait``: after something was taken away, until the last live verifier has heard of it, and how that is told."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from sensos_auth.cli.printing import print_json
from sensos_auth.registry import Registry
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.registry.verifiers import VerifierReport, live_verifiers

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LOOKS_EVERY = 0.02  # seconds
_LONGEST_WAIT = 3600.0
_SHOWN = 20


def wait_options(function: _Function) -> _Function:
    """Add ``--wait`` and ``--wait-timeout`` to a command, which gets ``wait`` and ``wait_timeout`` (seconds)."""
    timeout = click.option(
        "--wait-timeout",
        type=click.FloatRange(0, _LONGEST_WAIT),
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


@dataclass(frozen=True, slots=True)
class Hearing:
    """How many verifiers are live, which of them have not confirmed, and after how many seconds that was so."""

    live: int
    behind: list[VerifierReport]
    seconds: float

    def in_words(self) -> str:
        """Return one sentence for people."""
        if not self.live:
            return "no verifier reports to the revocation feed, so none was waited for"
        sentence = f"refused by {self.live - len(self.behind)} of {self.live} verifiers after {self.seconds:.1f} s"
        if self.behind:
            names = ", ".join(f"{report.name} ({report.application_id})" for report in self.behind[:_SHOWN])
            others = len(self.behind) - _SHOWN
            sentence += f"; not confirmed by {names}" + (f" and {others} more" if others > 0 else "")
        return sentence

    def members(self) -> dict[str, object]:
        """Return the same for programs."""
        return {
            "live": self.live,
            "confirmed": self.live - len(self.behind),
            "seconds": round(self.seconds, 3),
            "behind": [{"name": report.name, "applicationId": report.application_id} for report in self.behind],
        }


def wait_for_verifiers(registry: Registry, version: int, timeout: float) -> Hearing:
    """Return as soon as every live verifier holds the registry version, or after ``timeout`` seconds.

    A verifier that goes away meanwhile is waited for no longer than it counts as live.
    """
    started = time.monotonic()
    while True:
        with registry.view() as view:
            live = live_verifiers(view, unix_milliseconds())
        behind = [report for report in live if report.version < version]
        seconds = time.monotonic() - started
        if not behind or seconds >= timeout:
            return Hearing(len(live), behind, seconds)
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
        if hearing.behind:
            click.get_current_context().exit(1)
