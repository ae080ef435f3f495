"""Three nodes on PostgreSQL, traffic, administrators, and everything that can break: does the promise hold?

``python -m tests.nodes.run [--operations 2000] [--faults 200] [--seed N] [--seconds 1500]``. Ends with status 1, and
the piece of the history that shows it, when a promise was broken. ``--broken NAME`` runs a copy of the product with a
defect in it, which must be noticed; ``--broken all`` each of them, ``--broken list`` names them.
"""

import argparse
import logging
import os
import pickle
import random
import sys
import time
from dataclasses import dataclass

from tests.nodes.broken_variants import BROKEN_VARIANTS, run_broken
from tests.nodes.checker import Violation
from tests.nodes.faults import OF_NODES, OF_POSTGRESQL, Breaking
from tests.nodes.history import History, now
from tests.nodes.judging import judge
from tests.nodes.report import figures, violations_in_words
from tests.nodes.scene import Scene, scene

# Seconds after the last fault within which every node issues again.
_RECOVERS_WITHIN = 15.0
_TELLS_EVERY = 15.0
# Of the time, before anything is broken.
_CALM = 0.03


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is to happen, and how long it may take at most (seconds).

    ``only`` are words, one of which is in the name of each fault that is chosen.
    """

    operations: int
    faults: int
    seed: int
    seconds: float
    only: tuple[str, ...] = ("",)


def carry_out(plan: Plan) -> list[Violation]:
    """Run it, print what came of it, and return what broke a promise."""
    _say(f"seed {plan.seed}: {plan.operations} operations, {plan.faults} faults, {plan.seconds:.0f} s at most")
    with scene(plan.seed) as the_scene:
        _say(f"three nodes are ready, and log in {the_scene.folder}")
        failures = _let_happen(the_scene, plan)
        violations = [*failures, *judge(the_scene), *too_little(the_scene.history, plan)]
        if os.environ.get("KEEP_LOGS"):
            (the_scene.folder / "history.pickle").write_bytes(pickle.dumps((the_scene.history, violations)))
        for line in figures(the_scene.history, the_scene.verifiers.all):
            _say(line)
        for line in violations_in_words(violations, the_scene.history.faults):
            _say(line)
        _say(f"seed {plan.seed}: {len(violations)} violations")
    return violations


def too_little(history: History, plan: Plan) -> list[Violation]:
    """Return a violation if the time was over before all that was planned had happened: then it has shown less."""
    operations, faults = len(history.operations), len(history.faults)
    if operations >= plan.operations and faults >= plan.faults:
        return []
    says = (
        f"{operations} of {plan.operations} operations, {faults} of {plan.faults} faults in {plan.seconds:.0f} s: "
        "give it a machine that does less, or more --seconds"
    )
    return [Violation("enough happens", says, 0.0)]


def _let_happen(the_scene: Scene, plan: Plan) -> list[Violation]:
    """Let it all happen, until there was enough of it; then mend everything, and end."""
    breaking = _breaking(the_scene, plan)
    the_scene.clients.start()
    for administrator in the_scene.administrators:
        administrator.start()
    time.sleep(plan.seconds * _CALM)  # for comparison
    for thread in breaking:
        thread.start()
    try:
        _wait(the_scene, plan, breaking)
    finally:  # also when it is interrupted: what is broken is mended before all is ended
        for thread in breaking:
            thread.end()
    failures = _recovery(the_scene, now())
    for administrator in the_scene.administrators:
        administrator.end()
    for administrator in the_scene.administrators:
        administrator.join(60)
    time.sleep(1.5)  # verifiers may still accept what was taken away last
    the_scene.clients.end()
    the_scene.readiness.end()
    for verifier in the_scene.verifiers.all:
        verifier.end()
    return failures


def _breaking(the_scene: Scene, plan: Plan) -> list[Breaking]:
    """Return the threads that break things: one for nodes, and one for PostgreSQL, where it takes longer."""
    if not plan.faults:
        return []
    chance = random.Random(f"faults {plan.seed}")  # noqa: S311 - a test's choices
    return [
        Breaking(chosen, the_scene.stage, the_scene.history, chance, longest_pause)
        for faults, longest_pause in ((OF_NODES, 1.0), (OF_POSTGRESQL, 4.0))
        if (chosen := [fault for fault in faults if any(word in fault.kind for word in plan.only)])
    ]


def _wait(the_scene: Scene, plan: Plan, breaking: list[Breaking]) -> None:
    history, began = the_scene.history, now()
    tell_at = began + _TELLS_EVERY
    while now() - began < plan.seconds:
        time.sleep(0.1)
        if len(history.operations) >= plan.operations and len(history.faults) >= plan.faults:
            return
        for thread in breaking:
            if thread.failure is not None:
                raise thread.failure
        if now() >= tell_at:
            tell_at += _TELLS_EVERY
            asked = list(history.asked)
            _say(
                f"{now() - began:5.0f} s: {len(history.operations)} operations, {len(history.faults)} faults, "
                f"{sum(one.is_issued for one in asked)} tokens for {len(asked)} requests"
            )


def _recovery(the_scene: Scene, ended_at: float) -> list[Violation]:
    waiting = {node.name for node in the_scene.stage.nodes}
    while now() - ended_at < _RECOVERS_WITHIN:
        time.sleep(0.1)
        recent = the_scene.history.asked[-2000:]
        waiting -= {asked.node for asked in recent if asked.is_issued and asked.begin > ended_at}
        if not waiting:
            return []
    says = f"{', '.join(sorted(waiting))} issued nothing within {_RECOVERS_WITHIN:.0f} s of the last fault's end"
    return [Violation("nodes recover by themselves", says, ended_at)]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Run what the command line asks for."""
    logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what is broken here is known
    sys.setswitchinterval(0.001)  # many threads, each of which does little at a time
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=2000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--seconds", type=float, default=1500.0, help="after which it ends in any case")
    parser.add_argument("--only", default="", help="faults with one of these in their name, separated by commas")
    parser.add_argument("--broken", choices=["list", "all", *BROKEN_VARIANTS], default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    if options.broken == "list":
        for name, variant in BROKEN_VARIANTS.items():
            _say(f"{name:<10}  {variant.defect.name}")
    elif options.broken is not None:
        names = list(BROKEN_VARIANTS) if options.broken == "all" else [options.broken]
        sys.exit(run_broken(names, seed))
    else:
        plan = Plan(options.operations, options.faults, seed, options.seconds, tuple(options.only.split(",")))
        sys.exit(1 if carry_out(plan) else 0)


if __name__ == "__main__":
    main()
