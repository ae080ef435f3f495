"""Text of answers, made fit for a report: nothing in it can be a token or a secret."""

import re

_LONGEST = 160
_CONFIDENTIAL = re.compile(r"sensos_sk_[^\s'\"]*|eyJ[\w-]*(?:\.[\w-]*)*|[\w-]{24,}(?:\.[\w-]+)*", re.ASCII)


def scrubbed(text: str, shown: str = "") -> str:
    """Return one printable line of at most 160 characters, without ``shown`` and without what looks like a token."""
    if shown:
        text = text.replace(shown, "[not shown]")
    text = _CONFIDENTIAL.sub("[not shown]", text)
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
