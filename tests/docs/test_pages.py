"""The documentation names what there is: links, commands, options, settings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sensos_auth.cli import main
from tests.docs.pages import PAGES, ROOT, blocks, name_of

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:^|bin/|[ (])sensos-auth (?=[a-z-])([^|;&)<>'\n]+)", re.MULTILINE)
_SETTING = re.compile(r"SENSOS_AUTH_[A-Z_]+[A-Z]")
_SETTING_READ = re.compile(r'"(SENSOS_AUTH_[A-Z_]+[A-Z])"')

each_page = pytest.mark.parametrize("path", PAGES, ids=name_of)


def anchors(page: str) -> set[str]:
    """Return the anchors that a page's headings get."""
    headings = _HEADING.findall(_FENCED.sub("", page))
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def commands(page: str) -> Iterator[str]:
    """Yield the arguments of every ``sensos-auth`` command that a page names, in a block or a sentence."""
    groups = "|".join(main.list_commands(click.Context(main)))
    for block in blocks(page):
        yield from _COMMAND.findall(block.text)
    for code in _INLINE.findall(_FENCED.sub("", page)):
        yield from _COMMAND.findall(code)
        if re.match(rf"(?:{groups}) [a-z-]", code):
            yield code


def check_command(line: str) -> None:
    """Follow the words to a command, and look for its options."""
    command: click.Command = main
    context = click.Context(main)
    for word in shlex.split(line):
        if word.startswith("--"):
            known = {name for parameter in command.get_params(context) for name in parameter.opts}
            assert word in known, f"{command.name} has no {word}: {line}"
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            assert found is not None, f"there is no command {word}: {line}"
            command, context = found, click.Context(found, parent=context)


@each_page
def test_links_lead_somewhere(path: Path) -> None:
    """Every link to another page, and to a heading of one, has its target."""
    for link in _LINK.findall(_FENCED.sub("", path.read_text("utf-8"))):
        if link.startswith(("https://", "http://")):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        assert not anchor or anchor in anchors(file.read_text("utf-8")), link


@each_page
def test_commands_exist(path: Path) -> None:
    """Every command that is named can be run, with the options that are named."""
    for line in commands(path.read_text("utf-8")):
        check_command(line)


def test_settings_are_those_that_are_read() -> None:
    """The operator's page names every variable that the program reads, and no page names another."""
    sources = (ROOT / "src").rglob("*.py")
    read = {name for source in sources for name in _SETTING_READ.findall(source.read_text("utf-8"))}
    named = {name for page in PAGES for name in _SETTING.findall(page.read_text("utf-8"))}
    tabled = set(
        re.findall(r"^\| `(SENSOS_AUTH_\w+)`", (ROOT / "docs" / "operating.md").read_text("utf-8"), re.MULTILINE)
    )
    assert tabled == read
    assert named == read


def test_log_events_are_those_that_are_written() -> None:
    """The operator's page explains every event of the service's log, and no other."""
    source = "".join(file.read_text("utf-8") for file in (ROOT / "src" / "sensos_auth" / "server").glob("*.py"))
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    table = page[page.index("| event | level |") :].partition("\n\n")[0]
    explained = {event for row in table.splitlines() for event in _INLINE.findall(row.split("|")[1])}
    written = set(re.findall(r"\.(?:info|warning|error)\(\s*\"([^\"]+)\"", source))
    assert written <= explained
    assert {event for event in explained if f'"{event}"' not in source} == set()


@pytest.mark.parametrize(
    "line", ["tenants remove ten_…", "serve --insecure", "keys rotate --now", "secrets create -- --x"]
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    """What nobody can run would be seen."""
    with pytest.raises(AssertionError):
        check_command(line)


def test_commands_are_found_in_blocks_and_sentences() -> None:
    """With a path before it, within another command, and without the program's name."""
    page = (
        "Run `keys rotate` or `.venv/bin/sensos-auth serve`, not `keys`.\n\n"
        "```bash\n(umask 077; sensos-auth doctor > x)\n```\n"
    )
    assert [line.strip() for line in commands(page)] == ["doctor", "keys rotate", "serve"]
