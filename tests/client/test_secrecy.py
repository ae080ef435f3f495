"""Secrets and tokens show nowhere: not in representations, logs, errors, tracebacks with locals, or pickles."""

import copy
import logging
import pickle
import traceback
from collections.abc import Callable

import pytest

from sensos_auth.client import AsyncTokenSource, Credentials, SensosAuthError, TokenSource
from sensos_auth.testing import Fault, TokenServer


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
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    # The frame of this test holds the token; the library's own must not.
    shown = "".join(
        "".join(frame.locals.values())
        for frame in told.stack
        if "sensos_auth" in frame.filename and frame.locals is not None
    )
    everything = shown + caplog.text + str(caught.value)
    assert "Credentials(" in shown or "TokenSource(" in shown or "SharedToken" in shown
    assert server.secret not in everything
    assert token not in everything
