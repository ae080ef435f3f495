"""Show mutants of valid tokens to our verifier, PyJWT and joserfc, and explain every disagreement.

``python -m tests.verifying.differential.run --mutants 1000000 --seed 1 --processes 2``; the same seed makes the same
mutants. Ends with a table, and with status 1 if there is a disagreement that no rule explains.
"""

import argparse
import multiprocessing
import sys
import time
import warnings
from functools import cache

from tests.verifying.differential.compare import Comparison, Tally

_BATCH = 2000
_SAID_EVERY = 10.0  # seconds


@cache
def _comparison() -> Comparison:
    return Comparison()


def _judge(task: tuple[int, int, int]) -> Tally:
    seed, start, stop = task
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joserfc warns of the name "EdDSA" at each such token
        return _comparison().judge(seed, range(start, stop))


def judge_all(*, mutants: int, seed: int, processes: int) -> Tally:
    """Return what came of the first so many mutants of the seed; progress goes to standard error."""
    tasks = [(seed, start, min(start + _BATCH, mutants)) for start in range(0, mutants, _BATCH)]
    tally = Tally()
    started = said = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for part in pool.imap_unordered(_judge, tasks):
            tally.add(part)
            now = time.monotonic()
            if now - said > _SAID_EVERY:
                said = now
                rate = tally.total / (now - started)
                sys.stderr.write(f"{tally.total} of {mutants} mutants, {rate:.0f}/s, {len(tally.findings)} findings\n")
    return tally


def table(tally: Tally) -> str:
    """Return all that was counted, for people."""
    lines = ["   mutants  ours    PyJWT   joserfc"]
    for words, count in tally.verdicts.most_common():
        lines.append(f"{count:>10}  " + "  ".join(words))
    lines.append("\n   mutants  disagreement (one mutant can have several reasons)")
    for (library, reason), count in sorted(tally.explained.items(), key=lambda item: (item[0][0], -item[1])):
        lines.append(f"{count:>10}  {library} {reason}")
    if tally.broke:
        lines.append("\n   mutants  refused with an exception that is not the library's own")
        lines += [f"{count:>10}  {library}: {name}" for (library, name), count in tally.broke.most_common()]
    lines.append(f"\n{tally.total} mutants, {len(tally.findings)} findings")
    return "\n".join([*lines, *tally.findings])


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    tally = judge_all(mutants=options.mutants, seed=options.seed, processes=options.processes)
    sys.stdout.write(f"{table(tally)}\n{time.monotonic() - started:.0f} s\n")
    sys.exit(1 if tally.findings else 0)


if __name__ == "__main__":
    main()
