"""The product with one rule taken out, for each rule that the promise rests on: the checker must notice each."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.planted_defects.defect import SOURCE, Defect, in_file

_LONGEST = 200  # seconds
_NO_TOKEN = "no token after the taking call returned"

_follower = in_file("server/registry_follower.py")
_held = in_file("registry/held_credentials.py")
_transactions = in_file("registry/transactions.py")
_postgresql = in_file("registry/postgresql.py")


class BrokenVariant(NamedTuple):
    """A defect, the rules of which one at least must be found broken, and the faults under which it shows soon."""

    defect: Defect
    rules: tuple[str, ...]
    only: str


_CUT_OFF = "LISTEN connection silenced,refused by the database,half-open to the database"

BROKEN_VARIANTS: dict[str, BrokenVariant] = {
    "lease": BrokenVariant(
        _follower.defect(
            "a node goes by what it has confirmed long ago",
            "asked_at + LEASE))",
            "asked_at + 3600))",
        ),
        (_NO_TOKEN,),
        _CUT_OFF,
    ),
    "wait": BrokenVariant(
        _transactions.defect(
            "the call that takes away returns before other nodes must have heard of it",
            "if change.takes_away and self.database.settles_in:",
            "if False:",
        ),
        (_NO_TOKEN,),
        _CUT_OFF,
    ),
    "version": BrokenVariant(
        _transactions.defect(
            "a version can be seen before its change, and before the change of the version that precedes it",
            "        with self.database.write() as connection:\n"
            "            now = self._clock()\n"
            "            version, audit_hash, oldest = self._statements.advance_clock(connection, now_ms=now)\n",
            "        now = self._clock()\n"
            "        with self.database.write() as connection:\n"
            "            version, _, oldest = self._statements.advance_clock(connection, now_ms=now)\n"
            "        time.sleep(0.05)\n"
            "        with self.database.write() as connection:\n"
            "            audit_hash = self._statements.audit_hash(connection)\n",
        ),
        (_NO_TOKEN, "no token of a version at which it was taken away", "no verifier accepts a second later"),
        "LISTEN connection killed",
    ),
    "stamp": BrokenVariant(
        _held.defect(
            "a token from memory carries a version that is to come, so that nothing voids it",
            "*credential[:-2], confirmed.version,",
            "*credential[:-2], confirmed.version + 3_600_000,",
        ),
        ("no verifier accepts a second later",),
        "LISTEN connection killed",
    ),
    "durable": BrokenVariant(
        _postgresql.defect(
            "a change is acknowledged before it is on any disk",
            "                if is_losable:\n",
            "                if True:\n",
        ),
        ("no acknowledged write lost",),
        "PostgreSQL crashed,PostgreSQL failed over",
    ),
}


def run_broken(names: Sequence[str], seed: int) -> int:
    """Run each of them, and return 0 if each was noticed."""
    noticed = [_is_noticed(name, seed) for name in names]
    return 0 if all(noticed) else 1


def _is_noticed(name: str, seed: int) -> bool:
    defect, rules, only = BROKEN_VARIANTS[name]
    mismatch = defect.mismatch()
    if mismatch is not None:
        sys.stdout.write(f"{name}: {mismatch}\n")
        return False
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sensos-auth-broken-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
        defect.plant(source)
        arguments = ["--operations", "150", "--faults", "12", "--seconds", "60", "--seed", str(seed), "--only", only]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.nodes.run", *arguments],
                cwd=SOURCE.parent,
                env=os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=_LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            sys.stdout.write(f"{name:<10} NOT JUDGED: no end within {_LONGEST} s\n")
            return False
    broken = re.findall(r"^BROKEN (?:\d+) times: (.*)", done.stdout, re.MULTILINE)
    word = "NOT JUDGED" if done.returncode > 1 or "violations" not in done.stdout else "NOT NOTICED"
    if any(rule in broken for rule in rules):
        word = "noticed"
    sys.stdout.write(f"{name:<10} {word} in {time.monotonic() - began:.0f} s: {defect.name}  {broken}\n")
    if word == "NOT JUDGED":
        sys.stdout.write(done.stderr[-3000:])
    sys.stdout.flush()
    return word == "noticed"
