"""Secrets and tokens show nowhere: not in representations, logs, errors, tracebacks with locals, or pickles."""

import asyncio
import copy
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from sensos_auth.client import AsyncTokenSource, Credentials, SensosAuthError, TokenSource, secret_file
from sensos_auth.testing import Fault, TokenServer
from tests.client.callers import CALLERS, Caller
from tests.client.other_hosts import refusing_then_silent


def shown_locals(error: BaseException) -> str:
    """Return what a traceback with local variables shows of the library's own frames; the caller's are its own."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(
        f"{frame.locals}" for frame in told.stack if "sensos_auth" in frame.filename and frame.locals is not None
    )


def test_m12_representations(server: TokenServer) -> None:
    """Of everything that a program holds."""
    source = TokenSource.from_env(server.environment)
    token = source.token()
    shown = repr([source, AsyncTokenSource(source), source.shared, source.shared.held, source.origins])
    shown += repr(Credentials.from_env(server.environment)) + str(vars(source))
    assert token not in shown
    assert server.secret not in shown


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy])
def test_m12_pickles(server: TokenServer, copied: Callable[[object], object]) -> None:
    """None can be made of what holds a secret or a token."""
    source = TokenSource.from_env(server.environment)
    source.token()
    for thing in (source, AsyncTokenSource(source), source.shared.held, Credentials.from_env(server.environment)):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
    with pytest.raises(TypeError):
        copied(source)


@pytest.mark.parametrize(
    "fault",
    [Fault(status=401), Fault(status=500), Fault(status=400), Fault(dropped=True), Fault(status=302), Fault(delay=1.0)],
    ids=["401", "500", "400", "dropped", "302", "slow"],
)
def test_m12_tracebacks_with_locals_and_logs(
    server: TokenServer, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever went wrong, and at the most talkative level of every logger."""
    caplog.set_level(logging.DEBUG)
    source = TokenSource.from_env(server.environment, patience=5.0)
    token = source.token()
    source.shared.held = source.shared.held.spread_again(source.shared.clock(), 0.0)
    server.fail_always(fault)
    if not fault.delay:
        assert source.renewed(token) is None
    cold = TokenSource.from_env(server.environment, patience=0.3)
    with pytest.raises(SensosAuthError) as caught:
        cold.token()
    shown = shown_locals(caught.value)
    everything = shown + caplog.text + str(caught.value)
    assert "Credentials(" in shown or "TokenSource(" in shown or "SharedToken" in shown
    assert server.secret not in everything
    assert token not in everything


@pytest.mark.parametrize(
    "changes",
    [{"SENSOS_TENANT_ID": ""}, {"SENSOS_TENANT_ID": "", "SENSOS_TENANT_ID_FILE": "/nowhere"}, {"SENSOS_BASE_URL": "x"}],
    ids=["missing", "unreadable", "no URL"],
)
def test_m12_tracebacks_of_wrong_settings(
    server: TokenServer, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    """One variable is wrong: the traceback does not show the others, the secret among them."""
    for name, value in (server.environment | changes).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SensosAuthError) as caught:
        TokenSource.from_env()
    assert "variables" in shown_locals(caught.value) or "environment" in shown_locals(caught.value)
    assert server.secret not in shown_locals(caught.value)
    if "SENSOS_TENANT_ID" in changes:
        with pytest.raises(SensosAuthError) as caught:
            Credentials.from_env(os.environ)
        assert server.secret not in shown_locals(caught.value)


def test_m12_tracebacks_of_bad_secrets(tmp_path: Path) -> None:
    """What is no secret may be half of one, or something else that nobody should see."""
    path = tmp_path / "secret"
    for content in ("hunter2\nhunter2", "hunter2" * 1000):
        path.write_text(content)
        with pytest.raises(SensosAuthError) as caught:
            Credentials("ten_a", "app_a", secret_file(path)).current_secret()
        assert "hunter2" not in shown_locals(caught.value)


@pytest.mark.parametrize("calling", CALLERS.values(), ids=CALLERS.keys())
def test_m12_tracebacks_of_a_repetition_that_fails(
    server: TokenServer, calling: Callable[[TokenSource], Caller]
) -> None:
    """The API refuses the token, and breaks off the connection at the second try."""
    with refusing_then_silent() as url:
        source = TokenSource.from_env(server.environment, allowed_origins=[url])
        first = source.token()
        with calling(source) as call, pytest.raises(Exception) as caught:  # noqa: PT011 - each library has its own
            call("GET", url)
        shown = shown_locals(caught.value)
        assert first not in shown
        assert source.token() not in shown
    assert server.token_requests == 2


def test_m12_tracebacks_of_a_renewal_that_was_asked_for(server: TokenServer) -> None:
    """The token that the caller handed over is not shown from in here."""
    server.fail_always(Fault(status=500))
    source = TokenSource.from_env(server.environment, patience=0.1)
    with pytest.raises(SensosAuthError) as caught:
        source.renewed("hunter2")
    with pytest.raises(SensosAuthError) as caught_too:
        asyncio.run(AsyncTokenSource(source).renewed("hunter2"))
    assert "hunter2" not in shown_locals(caught.value) + shown_locals(caught_too.value)
