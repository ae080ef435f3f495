"""The integrator's page names the messages and options that there are."""

import ast
import re
from functools import cache
from pathlib import Path

import httpx2
import pytest

import sensos_auth.client
from sensos_auth.client.token_source import Options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
TROUBLES = PAGE[PAGE.index("| message | means | do |") :].partition("\n\n")[0].splitlines()[2:]


@cache
def texts() -> list[str]:
    """Return every text in the source, as the program has it."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize("row", [row for row in TROUBLES if "`" in row.split("|")[1]])
def test_messages_are_those_that_are_raised(row: str) -> None:
    """Each part of a message, between what is left open, is in the source."""
    said = texts()
    for message in re.findall(r"`([^`]+)`", row.split("|")[1]):
        # What follows a colon may be another text that is put in there.
        for part in filter(None, (part.strip() for part in re.split(r"…|(?<=at last:)|(?<=\(401\):)", message))):
            assert any(part in text for text in said) or hasattr(httpx2, part), part


def test_options_are_all_explained() -> None:
    """The table has each option that a user may set."""
    table = PAGE[PAGE.index("| option | default | meaning |") :].partition("\n\n")[0]
    explained = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert explained == set(Options.__annotations__) - {"surroundings"}


def test_every_public_name_is_there() -> None:
    """Also those that are imported only when they are asked for."""
    for name in sensos_auth.client.__all__:
        assert getattr(sensos_auth.client, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'Token'"):
        _ = sensos_auth.client.Token
