import pickle

import pytest

from sensos_auth.model.errors import SensosAuthError
from sensos_auth.verifying import InsufficientScope, InvalidToken, KeysUnavailable, MissingToken


@pytest.mark.parametrize(
    "error",
    [MissingToken("none"), InvalidToken("expired"), InsufficientScope("a b"), KeysUnavailable("none")],
    ids=repr,
)
def test_errors_have_one_root_and_survive_pickling(error: SensosAuthError) -> None:
    """Each is a SensosAuthError, and comes through a process boundary whole."""
    assert isinstance(error, SensosAuthError)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), copy.args, vars(copy)) == (type(error), error.args, vars(error))


def test_reason_is_not_in_the_text() -> None:
    """What clients may see does not name the failed check."""
    assert "wrong audience" not in f"{InvalidToken('wrong audience')}{InvalidToken('wrong audience')!r}"
