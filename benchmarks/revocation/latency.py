"""From the end of the call that revokes to the refusal at the last verifier."""

import json
import random
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.revocation.verifiers import VerifierProcess, last_refusal, now
from sensos_auth.issuing import key_rotation
from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.secrets import revoke_secret
from sensos_auth.registry.tenants import disable_tenant
from tests.running_service import ExampleApplication, RunningService

KINDS = ("token", "credential", "application", "tenant")
_MEAN_PAUSE = 0.1  # seconds between two revocations
# A verifier fetches a key that it does not know at most once in so many seconds.
_KEYS_ARE_KNOWN_AFTER = 31.0


@contextmanager
def load(service: RunningService, application: ExampleApplication) -> Iterator[None]:
    """Have tokens asked for meanwhile."""
    body = json.dumps(application.credentials())
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.revocation.loading", str(service.port), body])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(service: RunningService, running: list[VerifierProcess], number: int, keys: int) -> dict[str, list[float]]:
    """Revoke one thing after the other, and return the seconds that each took, by kind."""
    prepared = []
    for index in range(number - keys):
        application = service.new_application(scope="devices:read")
        prepared.append((str(index), KINDS[index % len(KINDS)], application, service.token(application)))
    other = service.new_application()
    for verifier in running:
        for _ in range(20):
            verifier.know(service.token(other))
    done: dict[str, tuple[str, float]] = {}
    took: dict[str, list[float]] = defaultdict(list)
    with load(service, other):
        for name, kind, application, token in prepared:
            watch(running, name, token)
            done[name] = kind, revoke(service, kind, application, token)
            time.sleep(random.expovariate(1 / _MEAN_PAUSE))
        for name, (kind, returned_at) in done.items():
            took[kind].append(last_refusal(running, name) - returned_at)
        for index in range(keys):
            if index:
                time.sleep(_KEYS_ARE_KNOWN_AFTER)
            took["signing key"].append(_revoke_key(service, running, f"key-{index}"))
    return dict(took)


def revoke(service: RunningService, kind: str, application: ExampleApplication, token: str) -> float:
    """Revoke by the functions that the command line calls, and return when the call was over."""
    with service.registry.change("benchmark") as change:
        if kind == "token":
            revoke_token(change, token_id(token))
        elif kind == "credential":
            revoke_secret(change, application.secret_id, with_tokens=True)
        elif kind == "application":
            disable_application(change, application.application_id)
        else:
            disable_tenant(change, application.tenant_id)
    return now()


def token_id(token: str) -> str:
    """Return the ``jti``."""
    return str(_part(token, 1)["jti"])


def _revoke_key(service: RunningService, running: list[VerifierProcess], name: str) -> float:
    token = service.token(service.new_application())
    watch(running, name, token)
    kid = str(_part(token, 0)["kid"])
    master_key = obtain_master_key(service.registry, service.environment)
    key_rotation.revoke(service.registry, master_key, signing_algorithm(service.environment), kid, actor="benchmark")
    returned_at = now()
    return last_refusal(running, name) - returned_at


def watch(running: list[VerifierProcess], name: str, token: str) -> None:
    """Have all of them verify the token until it is refused; returns once it was good for each."""
    for verifier in running:
        verifier.start_watching(name, token)
    for verifier in running:
        verifier.wait_until_watching(name)


def _part(token: str, index: int) -> dict[str, object]:
    part = token.split(".")[index]
    members: dict[str, object] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members
