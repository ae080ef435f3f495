"""What tests ask of nodes."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.running_service import COMMAND, JWKS_PATH, ExampleApplication, RunningService
from tests.server.management.asking import Asker


def at(node: RunningService, caller: Asker) -> Asker:
    """Return the caller with the same token, asking another node."""
    return replace(caller, service=node)


def issuing(node: RunningService, application: ExampleApplication) -> int:
    """Return the status of a token request."""
    return node.ask(application).status_code


def verifying(node: RunningService, token: str) -> int:
    """Return what the node says of the token."""
    return node.client.get("/v1/verify", headers={"Authorization": f"Bearer {token}"}).status_code


def published(node: RunningService) -> list[str]:
    """Return the IDs of the keys that the node publishes."""
    return [key["kid"] for key in node.client.get(JWKS_PATH).json()["keys"]]


def command(node: RunningService, *arguments: str) -> Any:  # noqa: ANN401 - whatever JSON it prints
    """Return what a command beside the node prints; it must succeed."""
    ended = subprocess.run(
        [COMMAND, *arguments, "--json"], env=node.environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@contextmanager
def without_waiting(node: RunningService) -> Iterator[None]:
    """Let the tests' own changes return when they are committed, and not only when they count everywhere."""
    settle, node.registry.settle = node.registry.settle, lambda _: None
    try:
        yield
    finally:
        node.registry.settle = settle


def assert_nothing_went_wrong(nodes: Sequence[RunningService]) -> None:
    """Fail if a node has logged an error, or answered 5xx to more than the question whether it is ready yet."""
    for node in nodes:
        lines = node.log_lines()
        assert [line for line in lines if line["level"] == "error"] == []
        assert [line for line in lines if line.get("status", 0) >= 500 and line["path"] != "/readyz"] == []
