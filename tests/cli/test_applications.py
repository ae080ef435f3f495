import re

import pytest

from sensos_auth.model.application_secret import has_valid_checksum
from tests.cli.command_line import CommandLine, on_both_engines


@on_both_engines
def test_create_prints_the_credentials_as_json(command_line: CommandLine) -> None:
    """``create --json`` prints tenantId, applicationId and applicationSecret."""
    tenant_id = command_line.new_tenant()
    made = command_line.new_application(tenant_id, scope="b a b", lifetime="60")
    assert made["tenantId"] == tenant_id
    assert re.fullmatch(r"app_[a-z2-7]{26}", made["applicationId"])
    assert has_valid_checksum(made["applicationSecret"])
    assert (made["scope"], made["lifetime"], made["state"]) == ("b a", 60, "enabled")


def test_create_tells_people_that_the_secret_is_shown_once(command_line: CommandLine) -> None:
    """People see the secret, and that they must keep it now."""
    result = command_line.run("applications", "create", "--tenant", command_line.new_tenant(), "--name", "X")
    assert re.search(r"^application secret +sensos_sk_\w{49}$", result.stdout, re.MULTILINE)
    assert "shown only this once" in result.stdout
    assert result.stderr == ""


def test_create_makes_application_and_secret_in_one_change(command_line: CommandLine) -> None:
    """z01: both are in one registry version, so that neither can be there without the other."""
    made = command_line.new_application()
    events = command_line.audit_trail()[1:]
    assert [(action, subject) for _, action, subject in events] == [
        ("application.created", made["applicationId"]),
        ("secret.created", made["secretId"]),
    ]
    secrets = command_line.print_json("secrets", "list", "--application", made["applicationId"])["secrets"]
    assert [secret["secretId"] for secret in secrets] == [made["secretId"]]


def test_the_secret_is_shown_nowhere_else(command_line: CommandLine) -> None:
    """Neither lists nor the registry file hold the secret."""
    made = command_line.new_application()
    for arguments in (("applications", "list"), ("secrets", "list", "--application", made["applicationId"])):
        for output in ([], ["--json"]):
            assert "sensos_sk_" not in command_line.run(*arguments, *output).output
    assert b"sensos_sk_" not in command_line.registry_file.read_bytes()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--scope", 'a"b'),
        ("--scope", "a\\b"),
        ("--scope", "ä"),
        ("--scope", "a\tb"),
        ("--scope", "x" * 1025),
        ("--lifetime", "0"),
        ("--lifetime", "86401"),
        ("--lifetime", "1.5"),
        ("--lifetime", "10h"),
        ("--name", ""),
        ("--name", "a\x07"),
        ("--tenant", ""),
        ("--tenant", "ten_\x1b[31m"),
    ],
)
def test_create_refuses_malformed_values(command_line: CommandLine, option: str, value: str) -> None:
    """A malformed option is wrong usage, status 2, and nothing is made."""
    options = {"--tenant": command_line.new_tenant(), "--name": "X", option: value}
    result = command_line.run("applications", "create", *[text for pair in options.items() for text in pair])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "\x1b" not in result.stderr
    assert command_line.print_json("applications", "list")["applications"] == []


@pytest.mark.parametrize("missing", ["--tenant", "--name"])
def test_create_names_the_missing_option(command_line: CommandLine, missing: str) -> None:
    """Without a required option: status 2, and stderr names it."""
    options = {"--tenant": "ten_x", "--name": "X"}
    del options[missing]
    result = command_line.run("applications", "create", *[text for pair in options.items() for text in pair])
    assert result.exit_code == 2
    assert f"Missing option '{missing}'" in result.stderr


def test_create_refuses_an_unknown_tenant(command_line: CommandLine) -> None:
    """An application needs a tenant that is there: status 1."""
    result = command_line.run("applications", "create", "--tenant", "ten_nobody", "--name", "X")
    assert (result.exit_code, result.stderr) == (1, "Error: there is no tenant ten_nobody\n")


def test_list_shows_those_of_one_tenant(command_line: CommandLine) -> None:
    """--tenant leaves out the applications of all others; without it everybody's are listed."""
    mine, other = command_line.new_application(), command_line.new_application()
    everybody = command_line.print_json("applications", "list")["applications"]
    assert [each["applicationId"] for each in everybody] == [mine["applicationId"], other["applicationId"]]
    listed = command_line.print_json("applications", "list", "--tenant", mine["tenantId"])["applications"]
    assert [each["applicationId"] for each in listed] == [mine["applicationId"]]


def test_list_refuses_an_unknown_tenant(command_line: CommandLine) -> None:
    """A tenant that does not exist is told apart from one without applications."""
    assert command_line.run("applications", "list", "--tenant", "ten_nobody").exit_code == 1


@on_both_engines
def test_list_goes_page_by_page_within_a_tenant(command_line: CommandLine) -> None:
    """The cursor goes on within the tenant."""
    tenant_id = command_line.new_tenant()
    made = [command_line.new_application(tenant_id)["applicationId"] for _ in range(2)]
    command_line.new_application()
    page = command_line.print_json("applications", "list", "--tenant", tenant_id, "--limit", "1")
    rest = command_line.print_json(
        "applications", "list", "--tenant", tenant_id, "--cursor", page["metadata"]["nextCursor"]
    )
    assert [each["applicationId"] for each in page["applications"] + rest["applications"]] == made
    assert rest["metadata"]["nextCursor"] is None


def test_list_is_a_table_for_people(command_line: CommandLine) -> None:
    """The table has a head and a line for each application."""
    made = command_line.new_application(scope="a b")
    head, row = command_line.run("applications", "list").stdout.splitlines()
    assert head.split("  ")[0] == "application ID"
    assert row.split("  ")[0] == made["applicationId"]
    assert "a b" in row


@on_both_engines
def test_disable_and_enable_print_the_new_state(command_line: CommandLine) -> None:
    """What disable and enable print is what list shows afterwards."""
    application_id = command_line.new_application()["applicationId"]
    disabled = command_line.print_json("applications", "disable", application_id)
    assert (disabled["applicationId"], disabled["state"]) == (application_id, "disabled")
    assert command_line.print_json("applications", "list")["applications"] == [disabled]
    assert command_line.print_json("applications", "enable", application_id)["state"] == "enabled"


@pytest.mark.parametrize("action", ["disable", "enable"])
def test_an_unknown_application_is_refused(command_line: CommandLine, action: str) -> None:
    """An ID that names no application, such as a tenant's: status 1."""
    result = command_line.run("applications", action, command_line.new_tenant())
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no application ten_")


@on_both_engines
def test_show_and_change(command_line: CommandLine) -> None:
    """Name, scope, lifetime, audience; the last two can be put back; what is not given stays."""
    application_id = command_line.new_application(scope="a b", audience="parts")["applicationId"]
    assert command_line.print_json("applications", "show", application_id)["audience"] == "parts"
    arguments = ["--name", "Press", "--scope", "b c", "--lifetime", "600", "--audience", "trips"]
    changed = command_line.print_json("applications", "change", application_id, *arguments)
    assert [changed[name] for name in ("name", "scope", "lifetime", "audience")] == ["Press", "b c", 600, "trips"]
    back = command_line.print_json(
        "applications", "change", application_id, "--default-lifetime", "--default-audience", "--scope", ""
    )
    assert [back[name] for name in ("name", "scope", "lifetime", "audience")] == ["Press", "", None, None]
    assert command_line.print_json("applications", "show", application_id) == {**back, "secrets": 1}
    for wrong in ([], ["--audience", "x", "--default-audience"], ["--lifetime", "1", "--default-lifetime"]):
        assert command_line.run("applications", "change", application_id, *wrong).exit_code == 2


@on_both_engines
def test_void_tokens_leaves_the_application_as_it_is(command_line: CommandLine) -> None:
    """It is enabled, and its secrets stay good; with --wait, who refuses is told."""
    application_id = command_line.new_application()["applicationId"]
    voided = command_line.print_json("applications", "void-tokens", application_id, "--wait")
    assert (voided["applicationId"], voided["state"]) == (application_id, "enabled")
    assert voided["verifiers"]["live"] == 0
    assert command_line.audit_trail()[-1][1:] == ("application.tokens_voided", application_id)


@on_both_engines
def test_delete_takes_its_secrets_along_and_needs_a_yes(command_line: CommandLine) -> None:
    """In a script it is refused without --yes, saying what it takes along; then it is gone, and the trail keeps it."""
    application_id = command_line.new_application()["applicationId"]
    (secret,) = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    refused = command_line.run("applications", "delete", application_id)
    assert refused.exit_code == 2
    assert "Its secrets (1) end with it" in refused.stderr
    deleted = command_line.print_json("applications", "delete", application_id, "--yes")
    assert (deleted["applicationId"], deleted["state"], deleted["secrets"]) == (application_id, "deleted", 1)
    assert command_line.run("secrets", "show", secret["secretId"]).exit_code == 1
    assert command_line.run("applications", "delete", application_id, "--yes").exit_code == 1
    assert command_line.audit_trail()[-1][1:] == ("application.deleted", application_id)
