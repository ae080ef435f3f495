import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from sensos_auth.cli import applications, lazy_group, main, tenants
from sensos_auth.cli.failing import without_confidential
from sensos_auth.model.application_secret import new_secret
from tests.cli.command_line import CommandLine


def commands(command: click.Command = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return the words of every command and group."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


EVERY_COMMAND = list(commands())


def find(path: tuple[str, ...]) -> click.Command:
    """Return the command with these words."""
    command: click.Command = main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    """--help: status 0, what the command does, what each option means, and an example."""
    result = CliRunner().invoke(main, [*path, "--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: {' '.join(('sensos-auth', *path))} ")
    assert " ".join(("sensos-auth", *path)) in result.stdout.partition("Example")[2]
    for option in find(path).params:
        assert not isinstance(option, click.Option) or option.help, f"{option.name} has no help"


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_no_command_takes_a_secret_or_a_token_as_an_argument(path: tuple[str, ...]) -> None:
    """Arguments show up in the list of processes and in the shell's history."""
    names = {parameter.name for parameter in find(path).params}
    assert names.isdisjoint({"token", "access_token", "secret", "application_secret", "master_key", "password"})


@pytest.mark.parametrize("path", [path for path in EVERY_COMMAND if path[0:1] not in {(), ("serve",), ("quickstart",)}])
def test_every_command_that_prints_data_has_json(path: tuple[str, ...]) -> None:
    """--json is on every command but groups, servers, and the one whose only output is JSON lines."""
    command = find(path)
    is_other = isinstance(command, click.Group) or path == ("audit", "export")
    assert is_other or "--json" in {text for option in command.params for text in option.opts}


@pytest.mark.parametrize("path", [path for path in EVERY_COMMAND if isinstance(find(path), click.Group)], ids=" ".join)
def test_a_group_without_a_command_is_wrong_usage(path: tuple[str, ...]) -> None:
    """Without a command: status 2, and the help on stderr."""
    result = CliRunner().invoke(main, list(path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Commands:" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("tenants", "nonsense"),
        ("--nonsense",),
        ("tenants", "create"),
        ("tenants", "create", "--name"),
        ("tenants", "create", "--name", "X", "--nonsense"),
        ("tenants", "create", "--name", "X", "Y"),
        ("tenants", "disable"),
        ("tenants", "disable", ""),
        ("tenants", "disable", "ten_ä"),
        ("tenants", "disable", "ten_\udcff"),
        ("tenants", "disable", "x" * 101),
        ("secrets", "list"),
        ("keys", "revoke"),
        ("doctor", "nonsense"),
    ],
    ids=repr,
)
def test_wrong_usage_is_status_2(command_line: CommandLine, arguments: tuple[str, ...]) -> None:
    """Unknown commands and options, missing and surplus arguments: status 2, stderr, and nothing is made."""
    result = command_line.run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr
    assert not command_line.data_folder.exists()


def test_version() -> None:
    """--version prints name and version."""
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("sensos-auth 0.")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SENSOS_AUTH_DATABASE_URL", "", "SENSOS_AUTH_DATABASE_URL is empty"),
        ("SENSOS_AUTH_DATABASE_URL", "mysql://root:confidential@db/x", "SENSOS_AUTH_DATABASE_URL must look like"),
        ("SENSOS_AUTH_DATABASE_URL", "postgresql://u:confidential@127.0.0.1:1/x", "cannot be reached"),
        ("SENSOS_AUTH_DATABASE_URL", "postgresql://u:confidential@h/x?no_option=1", "is no URL of a PostgreSQL"),
        ("SENSOS_AUTH_DATABASE_URL", "sqlite:////proc/nothing/registry", "cannot be opened"),
    ],
)
def test_z84_a_wrong_database_url_is_one_sentence(
    command_line: CommandLine, variable: str, value: str, sentence: str
) -> None:
    """A configuration that can't work: status 1, one sentence, no password repeated, no traceback."""
    command_line.environment[variable] = value
    result = command_line.run("tenants", "list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert "confidential" not in result.stderr


def test_z23_a_registry_open_to_others_is_refused(command_line: CommandLine) -> None:
    """Every command refuses it with the command that mends it, and leaves the mode alone."""
    command_line.new_tenant()
    command_line.registry_file.chmod(0o644)
    result = command_line.run("tenants", "list")
    assert result.exit_code == 1
    assert f"run chmod 600 {command_line.registry_file}" in result.stderr
    assert command_line.registry_file.stat().st_mode & 0o777 == 0o644


def test_confidential_text_is_taken_out_of_errors(command_line: CommandLine) -> None:
    """A secret or a token in the wrong place of the command line is not repeated."""
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhcHAifQ.c2lnbmF0dXJl"
    for text in (new_secret(), token):
        for arguments in ((text,), ("tenants", text), ("tenants", "list", text), ("tenants", "list", "--limit", text)):
            result = command_line.run(*arguments)
            assert result.exit_code == 2
            assert text not in result.output
            assert text[:20] not in result.output


def test_text_without_secrets_is_left_as_it_is() -> None:
    """IDs and key IDs are not secrets."""
    text = "there is no secret sec_abc, no key eyJx and no application app_x"
    assert without_confidential(text) == text


def test_a_defect_is_told_without_its_text(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception may hold anything: its kind and place are shown, never its text nor a traceback."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("confidential")

    monkeypatch.setattr(tenants, "create_tenant", fail)
    result = command_line.run("tenants", "create", "--name", "X")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: a defect of Sensos Auth, please report it: KeyError at ")
    assert "confidential" not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_failed_change_is_rolled_back(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """z01: an application whose secret could not be made is not there."""
    tenant_id = command_line.new_tenant()

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(applications, "create_secret", fail)
    result = command_line.run("applications", "create", "--tenant", tenant_id, "--name", "X")
    assert result.exit_code == 1
    assert "the operating system refused: Input/output error" in result.stderr
    assert command_line.print_json("applications", "list")["applications"] == []


def test_ctrl_c_ends_quietly(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 130 as shells have it, and no output."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tenants, "create_tenant", interrupt)
    result = command_line.run("tenants", "create", "--name", "X")
    assert (result.exit_code, result.output) == (130, "")


def test_a_missing_package_is_a_sentence_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed without the service, its commands say what to install."""

    def fail(_: str) -> None:
        raise ModuleNotFoundError("No module named 'apsw'", name="apsw")

    monkeypatch.setattr(lazy_group, "import_module", fail)
    result = CliRunner().invoke(main, ["tenants", "list"])
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the command tenants needs the package apsw, which comes with the service: "
        "run pip install 'sensos-auth[server]'\n"
    )


def test_json_members_are_camel_case(command_line: CommandLine) -> None:
    """No member of any output is written with an underscore."""
    made = command_line.new_application()
    outputs = [
        made,
        command_line.print_json("secrets", "list", "--application", made["applicationId"]),
        command_line.print_json("applications", "list"),
        command_line.print_json("tenants", "list"),
        command_line.print_json("keys", "rotate"),
        command_line.print_json("doctor"),
    ]
    names: set[str] = set()

    def collect(members: dict[str, object]) -> dict[str, object]:
        names.update(members)
        return members

    json.loads(json.dumps(outputs), object_hook=collect)
    assert not [name for name in names if "_" in name or not name[0].islower()]
