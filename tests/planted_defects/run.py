"""Plant each defect into a copy of the product, and see whether the tests notice.

``python -m tests.planted_defects.run [--only WORD] [--processes 2]``. First the tests run on an unchanged copy, because
a test that fails anyway notices nothing. Ends with status 1 if a defect survives, or can't be planted.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.planted_defects.defect import SOURCE, Defect
from tests.planted_defects.every_defect import EVERY_DEFECT

_ROOT = SOURCE.parent
_LONGEST_RUN = 300  # seconds
_PASSED, _FAILED = 0, 1  # pytest's status; any other means that no test could judge


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the tests: pytest's status, and the first test that failed or the last line that was printed."""

    status: int
    word: str
    seconds: float


def run_tests(source: Path, tests: tuple[str, ...]) -> Outcome:
    """Run the tests against a copy of the source tree until the first one fails."""
    ours = {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    ours["HYPOTHESIS_STORAGE_DIRECTORY"] = str(source / "hypothesis")
    started = time.monotonic()
    options = ["-x", "-q", "--no-header", "--tb=no", "-m", "not slow", "-p", "no:cacheprovider"]
    options += ["-p", "tests.planted_defects.no_shrinking"]
    files = [f"tests/{test}" for test in tests]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *files],
            cwd=_ROOT,
            env=os.environ | ours,
            capture_output=True,
            text=True,
            timeout=_LONGEST_RUN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(_FAILED, f"no end within {_LONGEST_RUN} s", time.monotonic() - started)
    failed = re.search(r"^(?:FAILED|ERROR) tests/(\S+)", done.stdout, re.MULTILINE)
    last = (done.stdout.strip() or done.stderr.strip() or "nothing printed").splitlines()[-1]
    return Outcome(done.returncode, failed[1] if failed else last, time.monotonic() - started)


def try_defect(defect: Defect) -> tuple[bool, str]:
    """Tell whether the tests notice the defect, and describe it in a line."""
    with tempfile.TemporaryDirectory() as folder:
        source = _copy(Path(folder))
        defect.plant(source)
        outcome = run_tests(source, defect.tests)
    match outcome.status:
        case 1:
            word, caught = "caught", True
        case 0:
            word, caught = "SURVIVED", False
        case _:
            word, caught = "NOT JUDGED", False
    return caught, f"{word:<10}  {outcome.seconds:5.1f} s  {defect.file}: {defect.name}  [{outcome.word}]"


def _copy(folder: Path) -> Path:
    shutil.copytree(SOURCE, folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "src"


def _unchanged(tests: tuple[str, ...]) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return run_tests(_copy(Path(folder)), tests)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="defects with this word in their name or file")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    chosen = [defect for defect in EVERY_DEFECT if options.only in f"{defect.file}: {defect.name}"]
    mismatches = [mismatch for defect in chosen if (mismatch := defect.mismatch())]
    if mismatches:
        sys.exit("\n".join(mismatches))
    started = time.monotonic()
    before = _unchanged(tuple(sorted({test for defect in chosen for test in defect.tests})))
    if before.status != _PASSED:
        sys.exit(f"the tests fail without any defect: {before.word}")
    with ThreadPoolExecutor(options.processes) as pool:
        outcomes = []
        for caught, line in pool.map(try_defect, chosen):
            outcomes.append(caught)
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{sum(outcomes)} of {len(outcomes)} caught in {time.monotonic() - started:.0f} s\n")
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
