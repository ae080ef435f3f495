"""The client in a program of its own: how it starts, and how it ends."""

import os
import subprocess
import sys
import time

from sensos_auth.testing import Fault, TokenServer
from tests.running_service import free_port


def run(program: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a program with the environment of an application."""
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=False, timeout=20)


def test_a_program_ends_at_once_amid_a_renewal(server: TokenServer) -> None:
    """Nobody waits for a renewal that nobody needs, and nothing is printed about it."""
    program = (
        "import time\n"
        "from sensos_auth.client import TokenSource\n"
        "source = TokenSource.from_env()\n"
        "source.token()\n"
        "source.shared.held = source.shared.held.spread_again(source.shared.clock(), 0.0)\n"
        "source.token()\n"
        "time.sleep(0.3)\n"
    )
    server.fail_next(Fault())
    server.fail_next(Fault(delay=10))
    began = time.monotonic()
    ended = run(program, server.environment)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert time.monotonic() - began < 8
    assert server.token_requests == 2


def test_a_loopback_address_is_asked_without_a_proxy(server: TokenServer) -> None:
    """A proxy would see the secret, which plain http hides from nobody."""
    proxy = f"http://127.0.0.1:{free_port()}"
    program = (
        "from sensos_auth.client import Client, TokenSource\n"
        "print(len(TokenSource.from_env().token()) > 100)\n"
        "print(len(Client.from_env().get('/v1/endpoint')))\n"
    )
    ended = run(program, server.environment | {"HTTP_PROXY": proxy, "http_proxy": proxy, "ALL_PROXY": proxy})
    assert ended.stdout == "True\n3\n", ended.stderr


def test_systems_without_fork_and_boot_clock(server: TokenServer) -> None:
    """Where these functions are missing, the client does without."""
    program = (
        "import os, time\n"
        "del os.register_at_fork, time.clock_gettime, time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC\n"
        "from sensos_auth.client import TokenSource\n"
        "print(len(TokenSource.from_env().token()) > 100)\n"
    )
    program = program.replace(
        "import os, time\n", "import os, time, logging, random, concurrent.futures.thread, httpx2\n"
    )
    ended = run(program, server.environment)
    assert ended.stdout == "True\n", ended.stderr


def test_the_token_alone_imports_no_http_library() -> None:
    """It is imported with the first request, so that a program that does not need it starts quickly."""
    program = "import sys, sensos_auth.client\nprint([name for name in sys.modules if name.startswith('http')])"
    ended = run(program, {})
    assert ended.stdout == "[]\n", ended.stderr
