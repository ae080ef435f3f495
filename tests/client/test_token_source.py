"""The token source over real sockets, threads, event loops and processes."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sensos_auth.client import (
    AsyncTokenSource,
    ConfigurationError,
    CredentialsRefused,
    SensosAuthError,
    TokenServiceUnavailable,
    TokenSource,
)
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.testing import Fault, TokenServer
from tests.running_service import free_port


def in_threads(count: int, work: Callable[[], str]) -> list[str]:
    """Let so many threads do the work at the same instant."""
    barrier = threading.Barrier(count)

    def once() -> str:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(once) for _ in range(count)]]


def test_from_env_and_a_token(server: TokenServer) -> None:
    """Four variables and one line."""
    source = TokenSource.from_env(server.environment)
    assert source.token() == source.token()
    assert server.token_requests == 1


def test_z67_a_thundering_herd_of_threads_and_tasks_makes_one_request(server: TokenServer) -> None:
    """200 threads, and 2 000 tasks on four event loops, ask a cold source at once."""
    server.fail_always(Fault(delay=0.3))
    source = TokenSource.from_env(server.environment)

    async def tasks() -> set[str]:
        asynchronous = AsyncTokenSource(source)
        return set(await asyncio.gather(*(asynchronous.token() for _ in range(500))))

    def either(number: int) -> str:
        return source.token() if number < 200 else "".join(asyncio.run(tasks()))

    numbers = iter(range(204))
    tokens = in_threads(204, lambda: either(next(numbers)))
    assert set(tokens) == {source.token()}
    assert server.token_requests == 1


def test_m10_a_thousand_callers_in_the_reserve_make_one_request(server: TokenServer) -> None:
    """When the old token has ended, they all wait for the same renewal."""
    server.lifetime = 1
    source = TokenSource.from_env(server.environment)
    first = source.token()
    server.fail_always(Fault(delay=0.2))
    server.lifetime = 3600
    threading.Event().wait(1.0)
    before = server.token_requests

    async def all_at_once() -> set[str]:
        asynchronous = AsyncTokenSource(source)
        return set(await asyncio.gather(*(asynchronous.token() for _ in range(1000))))

    tokens = asyncio.run(all_at_once())
    assert len(tokens) == 1
    assert first not in tokens
    assert server.token_requests == before + 1


def test_m16_a_cancelled_caller_does_not_end_the_renewal_for_others(server: TokenServer) -> None:
    """Nor does it block the next one."""
    server.fail_next(Fault(delay=0.3))
    asynchronous = AsyncTokenSource.from_env(server.environment)

    async def one_is_cancelled() -> str:
        first = asyncio.create_task(asynchronous.token())
        second = asyncio.create_task(asynchronous.token())
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        return await second

    assert asyncio.run(one_is_cancelled()) == asyncio.run(asynchronous.token())
    assert server.token_requests == 1


def test_an_event_loop_that_ended_does_not_end_the_renewal(server: TokenServer) -> None:
    """A caller that gave up with its whole event loop leaves the renewal to others."""
    server.fail_next(Fault(delay=0.3))
    asynchronous = AsyncTokenSource.from_env(server.environment)

    async def too_impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asynchronous.token(), 0.05)

    asyncio.run(too_impatient())
    assert asynchronous.source.token()
    assert server.token_requests == 1


def test_waiting_does_not_block_the_event_loop(server: TokenServer) -> None:
    """Other tasks go on while a token is on its way."""
    server.fail_next(Fault(delay=0.3))
    asynchronous = AsyncTokenSource.from_env(server.environment)

    async def count_meanwhile() -> int:
        waiting = asyncio.create_task(asynchronous.token())
        ticks = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(count_meanwhile()) > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_the_token_and_can_renew_it(server: TokenServer) -> None:
    """Also when it was forked in the middle of a renewal, whose thread is not in the child."""
    source = TokenSource.from_env(server.environment)
    token = source.token()
    stale_at = source.shared.held.stale_at
    other = TokenSource.from_env(server.environment)
    server.fail_next(Fault(delay=0.5))
    waiting = threading.Thread(target=other.token)
    waiting.start()
    threading.Event().wait(0.1)
    with source.shared._lock:  # as if another thread were about to renew: in the child there is none to release it
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # not pytest's: this process ends, whatever happens
            signal.alarm(5)
            is_same = source.shared.get().token == token and source.shared.held.stale_at != stale_at
            os._exit(0 if is_same and other.token() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    waiting.join()
    assert server.token_requests == 3


# The first pause would be a second, which is too long for a patience below 1.3 s.
ONE_ATTEMPT = Surroundings(random=lambda: 1.0)

FAULTS = {
    "500": (Fault(status=500), "status 500"),
    "503 of a proxy": (Fault(status=503, body=b"<html>"), "status 503"),
    "429": (Fault(status=429, headers={"Retry-After": "60"}), "asked to wait 6"),
    "not JSON": (Fault(status=200, body=b"<html>hello</html>"), "not JSON"),
    "not an object": (Fault(status=200, body=b'["accessToken"]'), "not a JSON object"),
    "truncated": (Fault(truncated=True), "RemoteProtocolError"),
    "dropped": (Fault(dropped=True), "RemoteProtocolError"),
    "no token": (Fault(status=200, body=b'{"expiresIn":1}'), "without an access token"),
    "token with a line break": (
        Fault(status=200, body=b'{"accessToken":"a\\r\\nb","expiresIn":1}'),
        "without an access",
    ),
    "expiresIn missing": (Fault(status=200, body=b'{"accessToken":"a"}'), "expiresIn is missing"),
    "expiresIn 0": (Fault(status=200, body=b'{"accessToken":"a","expiresIn":0}'), "not more than 0"),
    "expiresIn negative": (Fault(status=200, body=b'{"accessToken":"a","expiresIn":-5}'), "not more than 0"),
    "expiresIn a string": (Fault(status=200, body=b'{"accessToken":"a","expiresIn":"3600"}'), "not a whole number"),
    "expiresIn true": (Fault(status=200, body=b'{"accessToken":"a","expiresIn":true}'), "not a whole number"),
    "compressed": (Fault(headers={"Content-Encoding": "gzip"}), "encoded"),
    "too large": (Fault(status=200, body=b" " * 100_000), "more than 65536 bytes"),
}


@pytest.mark.parametrize(("fault", "text"), FAULTS.values(), ids=FAULTS.keys())
def test_m07_what_a_caller_sees_of_a_fault(server: TokenServer, fault: Fault, text: str) -> None:
    """The error says what happened last, and the source recovers."""
    source = TokenSource.from_env(server.environment, patience=1.2, surroundings=ONE_ATTEMPT)
    server.fail_always(fault)
    with pytest.raises(TokenServiceUnavailable, match=text) as caught:
        source.token()
    assert server.secret not in str(caught.value)
    server.fail_always(None)
    if "Retry-After" not in fault.headers:
        assert source.token()


@pytest.mark.parametrize("fault", [Fault(delay=5.0), Fault(drip=0.02)], ids=["slow", "drip"])
def test_m07_a_slow_answer_ends_with_the_patience(server: TokenServer, fault: Fault) -> None:
    """However the time goes by: before the answer or within it."""
    source = TokenSource.from_env(server.environment, patience=0.4)
    server.fail_next(fault, times=5)
    with pytest.raises(TokenServiceUnavailable, match="no whole answer within"):
        source.token()


def test_m07_a_silent_name_server_ends_with_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving a name cannot be cancelled, so nobody waits until it ends by itself."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(10) and [])
    environment = {
        "SENSOS_BASE_URL": "https://silent.test",
        "SENSOS_TENANT_ID": "ten_a",
        "SENSOS_APPLICATION_ID": "app_a",
        "SENSOS_APPLICATION_SECRET": "x",
    }
    source = TokenSource.from_env(environment, patience=0.4)
    with pytest.raises(TokenServiceUnavailable, match="no whole answer within"):
        source.token()
    answered.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.timeout(10)
def test_logging_that_breaks_leaves_nobody_waiting(server: TokenServer) -> None:
    """The callers are told before the log is: a filter of the application's may raise anything."""

    def broken(_: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    logger = logging.getLogger("sensos_auth.client")
    logger.addFilter(broken)
    try:
        source = TokenSource.from_env(server.environment, patience=20)
        server.fail_next(Fault(status=401))
        with pytest.raises(CredentialsRefused):
            source.token()
        for thread in threading.enumerate():
            if thread.name == "sensos-auth-token":
                thread.join()  # it logs, and ends, after it told its callers
    finally:
        logger.removeFilter(broken)


def test_a_service_that_is_down(server: TokenServer) -> None:
    """Nobody listens: the caller is told after its patience, and not before."""
    environment = server.environment | {"SENSOS_BASE_URL": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(TokenServiceUnavailable, match="ConnectError"):
        TokenSource.from_env(environment, patience=0.4).token()


def test_a_huge_expires_in_is_cut(server: TokenServer) -> None:
    """The token serves, for a day at most."""
    server.fail_next(Fault(status=200, body=b'{"accessToken":"abc","expiresIn":99999999999999999999}'))
    source = TokenSource.from_env(server.environment)
    assert source.token() == "abc"
    held = source.shared.held
    assert held.expires_at - held.issued_at == pytest.approx(86_399)


def test_m01_a_redirect_to_another_host_gets_no_secret(server: TokenServer) -> None:
    """The other host is not asked at all."""
    other = "http://localhost:1/steal"
    server.fail_always(Fault(status=307, headers={"Location": other}))
    with pytest.raises(ConfigurationError, match="redirect"):
        TokenSource.from_env(server.environment).token()
    assert server.token_requests == 1


def test_a_refusal_names_the_variable_and_not_the_value(server: TokenServer) -> None:
    """With the most likely one first: what does not look as it should."""
    good = server.environment
    for changes, named in [
        ({"SENSOS_APPLICATION_SECRET": good["SENSOS_APPLICATION_SECRET"][:-1]}, "SENSOS_APPLICATION_SECRET, whose"),
        ({"SENSOS_APPLICATION_SECRET": "guessed"}, "SENSOS_APPLICATION_SECRET, which does not begin with"),
        ({"SENSOS_TENANT_ID": "Blue Motors"}, "SENSOS_TENANT_ID, which does not begin with ten_"),
        ({"SENSOS_APPLICATION_ID": "fleet"}, "SENSOS_APPLICATION_ID, which does not begin with app_"),
        (
            {"SENSOS_TENANT_ID": "ten_aaaaaaaaaaaaaaaaaaaaaaaaaa"},
            "SENSOS_APPLICATION_SECRET first, which may have been",
        ),
    ]:
        with pytest.raises(CredentialsRefused, match=named) as caught:
            TokenSource.from_env(good | changes).token()
        assert not any(value in str(caught.value) for value in changes.values())


def test_a_secret_file_is_read_again_after_its_rotation(server: TokenServer, tmp_path: Path) -> None:
    """The new secret is in the file before the old one is refused: no caller notices."""
    path = tmp_path / "secret"
    path.write_text(server.secret + "\n")
    environment = {name: value for name, value in server.environment.items() if not name.endswith("_SECRET")}
    environment["SENSOS_APPLICATION_SECRET_FILE"] = str(path)
    source = TokenSource.from_env(environment)
    first = source.token()
    path.write_text(server.rotate_secret())
    server.revoke_tokens()
    assert source.renewed(first) not in {first, None}


def test_a_missing_secret_file_is_said(server: TokenServer, tmp_path: Path) -> None:
    """By the variable's name."""
    environment = {name: value for name, value in server.environment.items() if not name.endswith("_SECRET")}
    environment["SENSOS_APPLICATION_SECRET_FILE"] = str(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="SENSOS_APPLICATION_SECRET_FILE cannot be read: FileNotFoundError"):
        TokenSource.from_env(environment).token()


def test_asynchronous_callers_get_the_same_errors(server: TokenServer) -> None:
    """And a token that the API refused is replaced for them as well."""
    asynchronous = AsyncTokenSource.from_env(server.environment)

    async def refused_and_renewed() -> tuple[str, str | None, str | None]:
        first = await asynchronous.token()
        return first, await asynchronous.renewed(first), await asynchronous.renewed(first)

    first, second, third = asyncio.run(refused_and_renewed())
    assert second == third != first
    wrong = AsyncTokenSource.from_env(server.environment | {"SENSOS_APPLICATION_SECRET": "guessed"})
    with pytest.raises(SensosAuthError, match="SENSOS_APPLICATION_SECRET"):
        asyncio.run(wrong.token())
