"""The verdict on a run: its history, what PostgreSQL holds in the end, the audit chain, and what was answered."""

import subprocess
from collections.abc import Iterator

from tests.nodes.checker import Checker, Violation
from tests.nodes.ending import of_the_ending
from tests.nodes.faults import absences
from tests.nodes.history import History, now
from tests.nodes.node import Node
from tests.nodes.registry_ending import read_ending
from tests.nodes.scene import Scene
from tests.nodes.trail import of_a_version_taken_away, resolve
from tests.running_service import COMMAND

_ANSWERS = "answers say what is the matter"
# 0: none came.
_EXPECTED = frozenset({0, 200, 401, 503})
# Seconds, of a node that was not paused: beyond it a request hangs.
_LONGEST_ANSWER = 10.0


def judge(scene: Scene) -> list[Violation]:
    """Return what broke a promise. The history is completed by what the audit trail tells."""
    history = scene.history
    events, ending = read_ending(scene.url, history.operations)
    resolved = resolve(history.operations, events, seen_until=now())
    history.operations = resolved.operations
    history.absences = list(absences(scene.stage, history.faults, scene.readiness.unready))
    return [
        *Checker(history).violations(),
        *resolved.violations,
        *of_a_version_taken_away(history.issued(), events),
        *of_the_ending(resolved.operations, resolved.versions, ending),
        *_chain(scene),
        *_answers(scene),
        *(
            Violation("no error in the log", f"{node.name}: {line[:600]}", 0.0)
            for node in scene.stage.nodes
            for line in node.errors()
        ),
    ]


def _chain(scene: Scene) -> Iterator[Violation]:
    done = subprocess.run(
        [COMMAND, "audit", "verify"],
        env=scene.environment | {"SENSOS_AUTH_DATABASE_URL": scene.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        yield Violation("the audit chain verifies", (done.stdout + done.stderr)[-600:], 0.0)


def _answers(scene: Scene) -> Iterator[Violation]:
    for administrator in scene.administrators:
        for complaint in administrator.complaints:
            yield Violation(_ANSWERS, complaint, 0.0)
    for asked in scene.history.asked:
        if asked.status not in _EXPECTED:
            yield Violation(_ANSWERS, f"{asked.node} answered {asked.status}", asked.begin, (asked,))
    for node in scene.stage.nodes:
        yield from _hanging(node, scene.history)


def _hanging(node: Node, history: History) -> Iterator[Violation]:
    paused = [
        (fault.begin, fault.end) for fault in history.faults if fault.target == node.name and "node" in fault.kind
    ]
    for asked in history.asked:
        is_excused = any(begin <= asked.end and asked.begin <= end for begin, end in paused)
        if asked.node == node.name and asked.end - asked.begin > _LONGEST_ANSWER and not is_excused:
            says = f"{node.name} took {asked.end - asked.begin:.1f} s for an answer"
            yield Violation("no request hangs", says, asked.begin, (asked,))
