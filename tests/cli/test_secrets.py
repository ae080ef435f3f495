from datetime import datetime

import pytest

from sensos_auth.model.application_secret import has_valid_checksum
from tests.cli.command_line import CommandLine


@pytest.fixture
def application_id(command_line: CommandLine) -> str:
    """Return the ID of an application, which has its first secret."""
    return str(command_line.new_application()["applicationId"])


def test_create_prints_the_secret_as_json(command_line: CommandLine, application_id: str) -> None:
    """``create --json`` prints secretId and applicationSecret; without --expires-in it never expires."""
    made = command_line.print_json("secrets", "create", "--application", application_id)
    assert has_valid_checksum(made["applicationSecret"])
    assert made["secretId"].startswith("sec_")
    assert (made["state"], made["expiresAt"]) == ("active", None)


def test_several_secrets_are_valid_at_once(command_line: CommandLine, application_id: str) -> None:
    """z02: a further secret leaves the first one alone: rotation without downtime."""
    command_line.print_json("secrets", "create", "--application", application_id)
    listed = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    assert [secret["state"] for secret in listed] == ["active", "active"]


def test_expires_in_is_seconds_from_now(command_line: CommandLine, application_id: str) -> None:
    """--expires-in counts from the creation."""
    made = command_line.print_json("secrets", "create", "--application", application_id, "--expires-in", "3600")
    lifetime = datetime.fromisoformat(made["expiresAt"]) - datetime.fromisoformat(made["createdAt"])
    assert lifetime.total_seconds() == 3600


def test_list_says_in_plain_words_when_a_secret_expires(command_line: CommandLine, application_id: str) -> None:
    """People read how far away the expiry is."""
    command_line.run("secrets", "create", "--application", application_id, "--expires-in", "172860")
    head, first, second = command_line.run("secrets", "list", "--application", application_id).stdout.splitlines()
    assert head.split() == ["secret", "ID", "state", "created", "at", "expires", "at"]
    assert first.endswith("never")
    assert second.endswith("(in 2 days)")


def test_an_expired_secret_is_listed_as_such(command_line: CommandLine, application_id: str) -> None:
    """State follows from the time."""
    command_line.change_registry("UPDATE secrets SET expires_at = 1000000000")
    (listed,) = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    assert (listed["state"], listed["expiresAt"]) == ("expired", "2001-09-09T01:46:40Z")


@pytest.mark.parametrize("seconds", ["0", "-5", "soon", "1e3", "99999999999999999999"])
def test_create_refuses_an_expiry_that_is_none(command_line: CommandLine, application_id: str, seconds: str) -> None:
    """--expires-in is a whole number of seconds above 0, in bounds: else status 2 and no secret."""
    result = command_line.run("secrets", "create", "--application", application_id, "--expires-in", seconds)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(command_line.print_json("secrets", "list", "--application", application_id)["secrets"]) == 1


def test_revoke_prints_the_new_state(command_line: CommandLine, application_id: str) -> None:
    """A revoked secret says so, and since when; revoking again changes nothing."""
    (secret,) = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    revoked = command_line.print_json("secrets", "revoke", secret["secretId"])
    assert (revoked["secretId"], revoked["state"]) == (secret["secretId"], "revoked")
    assert revoked["revokedAt"] is not None
    assert command_line.print_json("secrets", "revoke", secret["secretId"]) == revoked


@pytest.mark.parametrize(
    "arguments", [("revoke", "sec_nothing"), ("list", "--application", "app_no"), ("create", "--application", "app_no")]
)
def test_what_is_unknown_is_refused(command_line: CommandLine, arguments: tuple[str, ...]) -> None:
    """Unknown secret or application: status 1, one sentence."""
    result = command_line.run("secrets", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: there is no ")
    assert result.stderr.count("\n") == 1


def test_list_goes_page_by_page(command_line: CommandLine, application_id: str) -> None:
    """--limit and --cursor work as everywhere."""
    command_line.print_json("secrets", "create", "--application", application_id)
    arguments = ("secrets", "list", "--application", application_id)
    page = command_line.print_json(*arguments, "--limit", "1")
    rest = command_line.print_json(*arguments, "--cursor", page["metadata"]["nextCursor"])
    assert len({secret["secretId"] for secret in page["secrets"] + rest["secrets"]}) == 2


def test_a_secret_in_place_of_its_id_is_not_repeated(command_line: CommandLine, application_id: str) -> None:
    """Who pastes the secret itself is told what is wanted, and it shows up nowhere."""
    shown = command_line.print_json("secrets", "create", "--application", application_id)["applicationSecret"]
    result = command_line.run("secrets", "revoke", shown)
    assert result.exit_code == 2
    assert "give the secret's ID" in result.stderr
    assert shown not in result.output
