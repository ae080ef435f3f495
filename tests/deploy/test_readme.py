"""The page's commands, as somebody pastes them: a whole block at once, into bash or zsh."""

import re
import subprocess

import pytest

from tests.deploy.declared import DEPLOY
from tests.docs.pages import Block, blocks

PASTED = [block for block in blocks((DEPLOY / "README.md").read_text("utf-8")) if block.language == "bash"]

# They read what is pasted after them, as if it were meant for them.
_READS_THE_TERMINAL = re.compile(r"\b(cat >|read\b|compose run\b)|(--interactive|/dev/stdin)\b")
_IS_GIVEN_ITS_INPUT = re.compile(r"< /dev/null$|^[^|]+ \| ")


@pytest.mark.parametrize("block", PASTED, ids=lambda block: f"line {block.line}")
def test_block_can_be_pasted_whole(block: Block) -> None:
    """No line takes those after it for its input; none has a comment, which is arguments in an interactive zsh."""
    for line in block.text.splitlines():
        assert not _READS_THE_TERMINAL.search(line) or _IS_GIVEN_ITS_INPUT.search(line), line
        assert not re.search(r"(^|\s)#", line), line
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
