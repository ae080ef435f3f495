"""Fifty processes against the real service over three lifetimes of 20 seconds: when they ask, and whether a call fails.

Each process asks its source for a token, and calls the API with it, twice a second. All start in the same second.
Beside it, the same without any spread.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import httpx2

from sensos_auth.client import TokenSource
from sensos_auth.client.httpx2 import TokenAuth
from sensos_auth.client.surroundings import Surroundings
from tests.running_service import RunningService, running_service

LIFETIME = 20
_TOKEN_PATH = "/v1/applications/token"  # noqa: S105 - a path


def call_for(environment: dict[str, str], seconds: float, surroundings: Surroundings) -> tuple[int, int]:
    """Call the API until the time is over, and return how many calls there were and how many failed."""
    source = TokenSource.from_env(environment, surroundings=surroundings)
    calls = failed = 0
    ends_at = time.monotonic() + seconds
    with httpx2.Client(base_url=source.base_url, auth=TokenAuth(source), trust_env=False) as client:
        while time.monotonic() < ends_at:
            calls += 1
            try:
                failed += client.get("/v1/endpoint").status_code != 200
            except Exception:  # noqa: BLE001 - whatever it is, it counts
                failed += 1
            time.sleep(0.5)
    return calls, failed


def in_processes(count: int, environment: dict[str, str], seconds: float, surroundings: Surroundings) -> list[int]:
    """Do it in so many processes, and return the sums of their calls and failures."""
    reading, writing = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            calls, failed = call_for(environment, seconds, surroundings)
            os.write(writing, f"{calls} {failed}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(writing)
    for child in children:
        os.waitpid(child, 0)
    with os.fdopen(reading) as results:
        lines = [line.split() for line in results]
    assert len(lines) == count, "a process ended without a result"
    return [sum(int(line[column]) for line in lines) for column in (0, 1)]


def token_times(service: RunningService) -> list[float]:
    """Return when the service was asked for a token, by its own log."""
    time.sleep(1.0)  # its lines come with a little delay
    lines = [line for line in service.log_lines() if line.get("path") == _TOKEN_PATH]
    assert {line["status"] for line in lines} == {200}
    return [datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines]


def run(count: int, lifetimes: int, *, is_spread: bool) -> int:
    """Print one run, and return how many calls failed."""
    surroundings = Surroundings() if is_spread else Surroundings(random=lambda: 0.0)
    settings = {"SENSOS_AUTH_TOKEN_LIFETIME": str(LIFETIME)}
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder), environment=settings) as service:
        application = service.new_application()
        environment = {
            "SENSOS_BASE_URL": service.base_url,
            "SENSOS_TENANT_ID": application.tenant_id,
            "SENSOS_APPLICATION_ID": application.application_id,
            "SENSOS_APPLICATION_SECRET": application.secret,
        }
        calls, failed = in_processes(count, environment, lifetimes * LIFETIME, surroundings)
        times = token_times(service)
    first, *_ = times = sorted(times)
    seconds = Counter(int(at - first) for at in times[count:])
    later = [seconds[index] for index in range(int(times[count] - first), lifetimes * LIFETIME)]
    print(
        json.dumps(
            {
                "spread": is_spread,
                "processes": count,
                "seconds": lifetimes * LIFETIME,
                "calls": calls,
                "failed calls": failed,
                "token requests": len(times),
                "first ones within": f"{times[count - 1] - first:.1f} s",
                "renewals, peak per second": max(later),
                "renewals, mean per second": round(sum(later) / len(later), 2),
                "renewals per second": later,
            }
        )
    )
    return failed


def main() -> int:
    """Print both runs; status 1 when a call failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=50)
    parser.add_argument("--lifetimes", type=int, default=3)
    options = parser.parse_args()
    failed = sum(run(options.processes, options.lifetimes, is_spread=is_spread) for is_spread in (True, False))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
