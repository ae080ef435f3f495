"""The verifiers of the test, each a process of its own, and the tokens that they are shown."""

import json
import subprocess
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tests.nodes.history import Accepted, Asked, History, Policy, now

# Seconds between two tokens of an application that verifiers are shown, while nothing is taken away.
_SHOWN_EVERY = 0.5
# And after a taking call has begun; and the seconds for which they are watched.
_SHOWN_EVERY_WHILE_WATCHED = 0.08
_WATCHED_FOR = 3.0
_REMEMBERED = 12
_PATIENCE = 60.0


class Verifier(Protocol):
    """Whoever is shown tokens and writes down which it accepts. ``counts`` are its verdicts."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def counts(self) -> dict[str, int]: ...  # noqa: D102

    def tell(self, line: bytes) -> None:
        """Send it a line."""

    def end(self) -> None:
        """End it."""


class VerifierProcess:
    """One verifier, which follows the feed at ``port``."""

    def __init__(self, name: str, *, issuer: str, port: int, policy: Policy, history: History, log_file: Path) -> None:
        self.name = name
        self.counts: dict[str, int] = {}
        self._history = history
        self._is_ready = threading.Event()
        self._lock = threading.Lock()
        policy_word = "refuse" if policy.refuses else "accept"
        arguments = [issuer, str(port), policy_word, str(policy.max_staleness)]
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nodes.verifying_process", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        history.policies[name] = policy
        self._thread = threading.Thread(target=self._read, name=f"verifier {name}", daemon=True)
        self._thread.start()

    def wait_until_ready(self) -> None:
        """Return once it knows keys and revocations."""
        assert self._is_ready.wait(_PATIENCE), f"the verifier {self.name} is not ready"

    def tell(self, line: bytes) -> None:
        """Send it a line."""
        assert self._process.stdin is not None
        with self._lock, suppress(OSError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def end(self) -> None:
        """End it, and take in what it says at last."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._thread.join(_PATIENCE)
        if self._process.poll() is None:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "ready" in said:
                self._is_ready.set()
            self.counts = said.get("counts", self.counts)
            for token_id, at in said.get("accepted", []):
                self._history.accepted.append(Accepted(self.name, token_id, at, said["before"], said["after"]))


class Verifiers:
    """All of them. They are shown the freshest tokens, and watch those that a call takes away."""

    def __init__(self, verifiers: Sequence[Verifier]) -> None:
        self.all = verifiers
        self._shown_at: dict[tuple[str, str], float] = {}
        self._shown: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        self._watched_until: dict[str, float] = {}

    def show(self, asked: Asked, token: str) -> None:
        """Show them a token, if it is time for one of this application, or something is being taken away from it."""
        at = now()
        subjects = (asked.application_id, asked.tenant_id, asked.secret_id, asked.kid)
        is_watched = any(self._watched_until.get(subject, 0.0) > at for subject in subjects)
        place = (asked.application_id, asked.node)
        if at - self._shown_at.get(place, 0.0) < (_SHOWN_EVERY_WHILE_WATCHED if is_watched else _SHOWN_EVERY):
            return
        self._shown_at[place] = at
        for subject in subjects:
            self._shown[subject].append(asked.token_id)
        line: dict[str, object] = {"add": {asked.token_id: token}}
        if is_watched:
            line["watch"] = [asked.token_id]
        self._tell(line)

    def watch(self, subjects: Iterable[str]) -> None:
        """Have them report from now on when they accept a token of one of these."""
        token_ids = []
        for subject in subjects:
            self._watched_until[subject] = now() + _WATCHED_FOR
            token_ids += list(self._shown.get(subject, ()))
        if token_ids:
            self._tell({"watch": token_ids})

    def show_and_watch(self, token_id: str, token: str) -> None:
        """Show them this token, and have them report when they accept it."""
        self._tell({"add": {token_id: token}, "watch": [token_id]})

    def _tell(self, line: dict[str, object]) -> None:
        encoded = json.dumps(line).encode() + b"\n"
        for verifier in self.all:
            verifier.tell(encoded)
