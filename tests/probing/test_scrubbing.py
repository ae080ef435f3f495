"""What may be printed of an answer."""

import pytest

from sensos_auth.model.application_secret import new_secret
from sensos_auth.probing.scrubbing import scrubbed
from tests.probing.stub_service import GOOD


@pytest.mark.parametrize(
    "text",
    [GOOD, f"bad: {GOOD}!", GOOD[40:], GOOD.split(".")[2], f"{GOOD[:60]} {GOOD[60:]}"],
    ids=["whole", "in a sentence", "tail", "signature", "two lines"],
)
def test_tokens_are_taken_out(text: str) -> None:
    """Whole, in part and cut in two."""
    line = scrubbed(text)
    assert "[not shown]" in line
    assert not any(GOOD[start : start + 24] in line for start in range(len(GOOD) - 24))


def test_secrets_are_taken_out() -> None:
    """Of an application."""
    secret = new_secret()
    assert scrubbed(f"wrong secret {secret}") == "wrong secret [not shown]"


def test_one_short_printable_line() -> None:
    """No terminal is told anything."""
    assert scrubbed("a\r\n\x1b[31mb\0\tc") == "a [31mb c"
    assert len(scrubbed("word " * 100)) == 160
