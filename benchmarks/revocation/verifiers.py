"""The verifiers' processes, and what they said."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, Thread


class VerifierProcess:
    """One verifier in a process of its own."""

    def __init__(self, issuer: str, audience: str, name: str, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.revocation.verifying", issuer, audience, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=dict(os.environ) | dict(environment),
        )
        self._said = Condition()
        self.refused_at: dict[str, float] = {}
        self._watching: set[str] = set()
        self._healths: list[dict[str, object]] = []
        self._is_ready = False
        Thread(target=self._listen, daemon=True).start()

    def wait_until_ready(self) -> None:
        """Return once it has keys and revocations."""
        self._wait(lambda: self._is_ready, 60)

    def know(self, token: str) -> None:
        """Have it verify the token now and again."""
        self._order(know=token)

    def start_watching(self, number: str, token: str) -> None:
        """Have it verify the token until it is refused."""
        self._order(number=number, watch=token)

    def wait_until_watching(self, number: str) -> None:
        """Return once the token was good."""
        self._wait(lambda: number in self._watching, 30)

    def wait_for_refusal(self, number: str, seconds: float = 60) -> float:
        """Return when the token was refused first, by the monotonic clock."""
        self._wait(lambda: number in self.refused_at, seconds)
        return self.refused_at[number]

    def set_clock(self, ahead: float) -> None:
        """Have its wall clock run ahead by so many seconds."""
        self._order(ahead=str(ahead))

    def health(self) -> dict[str, object]:
        """Return how it stands with its revocations."""
        number = len(self._healths)
        self._order(health="")
        self._wait(lambda: len(self._healths) > number, 30)
        return self._healths[-1]

    def end(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _order(self, **members: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(members) + "\n")
        self.process.stdin.flush()

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        with self._said:
            if not self._said.wait_for(condition, seconds):
                raise SystemExit(f"a verifier did not do what it should within {seconds:g} s")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            with self._said:
                if "refused" in said:
                    self.refused_at[said["refused"]] = said["at"]
                elif "watching" in said:
                    self._watching.add(said["watching"])
                elif "health" in said:
                    self._healths.append(said["health"])
                else:
                    self._is_ready = True
                self._said.notify_all()


@contextmanager
def verifiers(
    number: int, issuer: str, audience: str, environment: Mapping[str, str] | None = None
) -> Iterator[list[VerifierProcess]]:
    """Run so many verifiers, and return once all are ready."""
    running = [VerifierProcess(issuer, audience, f"verifier-{index}", environment or {}) for index in range(number)]
    try:
        for verifier in running:
            verifier.wait_until_ready()
        yield running
    finally:
        for verifier in running:
            verifier.end()


def last_refusal(running: list[VerifierProcess], number: str, seconds: float = 60) -> float:
    """Return when the last of them refused the token first, by the monotonic clock."""
    return max(verifier.wait_for_refusal(number, seconds) for verifier in running)


def now() -> float:
    """Return the time by the clock that all processes share."""
    return time.monotonic()
