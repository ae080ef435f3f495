"""What the tests start: the example that ``TEST_EXAMPLE`` names, with a verifier that breaks when a token says so."""

import importlib
import os
from typing import Any

from sensos_auth.verifying import Caller, ConnectedVerifier, KeysUnavailable, Verifier
from sensos_auth.verifying.errors import RevocationsUnavailable
from tests.verifying.frameworks.breaking_tokens import BREAKING_TOKENS

_BREAKS: list[Exception] = [
    KeysUnavailable("none"),
    RevocationsUnavailable("too old"),
    RuntimeError("a defect"),
    MemoryError(),
]
_verify = Verifier.verify


def _verify_or_break(self: Verifier, token: str, *, scope: str = "") -> Caller:
    if token in BREAKING_TOKENS:
        raise _BREAKS[BREAKING_TOKENS.index(token)]
    return _verify(self, token, scope=scope)


Verifier.verify = _verify_or_break  # type: ignore[method-assign] # a defect that no configuration could bring about

ConnectedVerifier.wait_until_ready.__defaults__ = (60.0,)  # seconds: all tests together load the machine

module, _, name = os.environ["TEST_EXAMPLE"].partition(":")
example = importlib.import_module(module)
app: Any = getattr(example, name) if name else None
