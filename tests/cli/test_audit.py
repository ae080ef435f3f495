"""``audit list``, ``export`` and ``verify``, as operators and their programs use them."""

import json
import subprocess
import time
from pathlib import Path

import apsw
import pytest

from tests.cli.command_line import CommandLine, on_both_engines
from tests.running_service import COMMAND

_INSERT_A_COPY = """INSERT INTO audit_events (version, position, at, actor, action, subject, details, hash_before, hash)
SELECT {1} + 1, 0, at, actor, action, subject, details, hash_before, hash FROM audit_events WHERE version = {0}"""


def _tamper(command_line: CommandLine, statement: str) -> None:
    connection = apsw.Connection(str(command_line.registry_file))
    connection.execute("DROP TRIGGER IF EXISTS audit_events_stay; DROP TRIGGER IF EXISTS audit_events_last")
    connection.execute(statement)
    connection.close()


def _lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@on_both_engines
def test_the_trail_is_listed_page_by_page_and_filtered(command_line: CommandLine) -> None:
    """The same members as in an export; a cursor leads on; a time that nothing happened at gives nothing."""
    tenant_id = command_line.new_tenant()
    command_line.new_tenant("other")
    first = command_line.print_json("audit", "list", "--limit", "1")
    (event,) = first["auditEvents"]
    assert (event["action"], event["subject"], event["details"]) == (
        "tenant.created",
        tenant_id,
        {"name": "Blue Motors"},
    )
    rest = command_line.print_json("audit", "list", "--cursor", first["metadata"]["nextCursor"])
    assert [event["details"]["name"] for event in rest["auditEvents"]] == ["other"]
    assert rest["metadata"]["nextCursor"] is None
    named = command_line.print_json("audit", "list", "--tenant", tenant_id, "--actor", event["actor"])
    assert [event["subject"] for event in named["auditEvents"]] == [tenant_id]
    assert command_line.print_json("audit", "list", "--until", "2020-01-01")["auditEvents"] == []
    shown = command_line.run("audit", "list", "--since", "2020-01-01T00:00:00Z", "--action", "tenant")
    assert shown.output.splitlines()[0].split() == ["at", "actor", "action", "subject", "details"]
    assert len(shown.output.splitlines()) == 3
    assert command_line.run("audit", "list", "--cursor", "x").exit_code == 2
    assert command_line.run("audit", "list", "--since", "yesterday").exit_code == 2


@on_both_engines
def test_an_exported_trail_goes_on_where_it_ended(command_line: CommandLine, tmp_path: Path) -> None:
    """To a file: private, each event once, also after a kill in the middle of a line; to stdout: after a version."""
    command_line.new_tenant()
    file = tmp_path / "audit.jsonl"
    assert command_line.run("audit", "export", "--to", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open("ab") as torn:
        torn.write(b'{"version":17')
    command_line.new_tenant()
    assert "1 events were added" in command_line.run("audit", "export", "--to", str(file)).stderr
    lines = _lines(file)
    everything = command_line.run("audit", "export").stdout
    assert everything == file.read_text()
    assert (
        command_line.run("audit", "export", "--after", str(lines[0]["version"])).stdout
        == everything.splitlines(keepends=True)[1]
    )
    assert command_line.run("audit", "export", "--to", str(file), "--after", "1").exit_code == 2


def test_an_export_goes_on_in_no_file_of_something_else(command_line: CommandLine, tmp_path: Path) -> None:
    """Another registry's export is refused, and so is a file that is none: nothing is written to either."""
    other = CommandLine(tmp_path / "other")
    other.new_tenant()
    file = tmp_path / "audit.jsonl"
    other.run("audit", "export", "--to", str(file))
    command_line.new_tenant()
    before = file.read_bytes()
    refused = command_line.run("audit", "export", "--to", str(file))
    assert (refused.exit_code, "does not hold the last event" in refused.stderr) == (1, True)
    assert file.read_bytes() == before
    for text in ("{}", '{"a": 1}\n', "text", "text\n", "\n"):
        file.write_text(text)
        assert command_line.run("audit", "export", "--to", str(file)).exit_code == 2
        assert file.read_text() == text


def test_a_followed_trail_is_written_within_a_second_or_so(command_line: CommandLine, tmp_path: Path) -> None:
    """Until the command is ended; a second one on the same file is refused meanwhile."""
    command_line.new_tenant()
    file = tmp_path / "audit.jsonl"
    arguments = [COMMAND, "audit", "export", "--follow", "--to", str(file)]
    environment = {"SENSOS_AUTH_DATA_DIR": str(command_line.data_folder), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE) as process:
        try:
            _wait_for_lines(file, 1)
            assert command_line.run("audit", "export", "--to", str(file)).exit_code == 1
            command_line.new_tenant()
            began = time.monotonic()
            _wait_for_lines(file, 2)
            assert time.monotonic() - began < 3
        finally:
            process.kill()


def _wait_for_lines(file: Path, count: int) -> None:
    give_up_at = time.monotonic() + 15
    while not file.exists() or len(file.read_bytes().splitlines()) < count:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


@on_both_engines
def test_a_sound_trail_is_verified_and_its_head_is_printed(command_line: CommandLine, tmp_path: Path) -> None:
    """The head of a run is good for --head of the next one, and an export for --against."""
    command_line.new_tenant()
    file = tmp_path / "audit.jsonl"
    command_line.run("audit", "export", "--to", str(file))
    report = command_line.print_json("audit", "verify")
    assert report["head"] == _lines(file)[-1]["hash"]
    assert (report["events"], report["unchained"], report["findings"]) == (1, 0, [])
    command_line.new_tenant()
    again = command_line.run("audit", "verify", "--head", report["head"], "--against", str(file))
    assert again.exit_code == 0, again.output
    assert again.output.splitlines()[:2] == [
        "2 events, and each is what was written",
        "1 of them were exported, and are what they were then",
    ]
    assert command_line.run("audit", "verify", "--head", "abc").exit_code == 2
    assert command_line.run("audit", "verify", "--head", "0" * 64).exit_code == 1


@pytest.mark.parametrize(
    ("statement", "kind", "where"),
    [
        ("UPDATE audit_events SET actor = 'nobody' WHERE version = {1}", "altered", 1),
        ("UPDATE audit_events SET details = 'torn' WHERE version = {1}", "altered", 1),
        ("DELETE FROM audit_events WHERE version = {1}", "removed", 2),
        ("DELETE FROM audit_events WHERE version = {3}", "cut off", 2),
        ("UPDATE audit_events SET version = {3} + 1 WHERE version = {1}", "moved", None),
        (
            _INSERT_A_COPY,
            "inserted",
            None,
        ),
    ],
)
def test_what_was_done_to_the_file_is_said_and_where(
    command_line: CommandLine, statement: str, kind: str, where: int | None
) -> None:
    """Alter, remove, move, insert, cut off: exit status 1, the kind, and the event."""
    for _ in range(4):
        command_line.new_tenant()
        time.sleep(0.003)  # so that there is room for a version between two
    events = command_line.print_json("audit", "list")["auditEvents"]
    versions = [event["version"] for event in events]
    _tamper(command_line, statement.format(*versions))
    result = command_line.run("audit", "verify", "--json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert (result.exit_code, finding["kind"]) == (1, kind)
    assert where is None or finding["version"] == versions[where]
    shown = command_line.run("audit", "verify")
    assert shown.output.startswith(f"{kind}: the event {finding['version']}/0 ")
    assert "head:" not in shown.output
    command_line.run("audit", "list")  # shows what there is
