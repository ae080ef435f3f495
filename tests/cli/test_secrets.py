import json
import time
from datetime import datetime

import pytest

from sensos_auth.model.application_secret import has_valid_checksum
from tests.cli.command_line import CommandLine, on_both_engines


@pytest.fixture
def application_id(command_line: CommandLine) -> str:
    """Return the ID of an application, which has its first secret."""
    return str(command_line.new_application()["applicationId"])


@on_both_engines
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
    assert head.split() == ["secret", "ID", "label", "state", "created", "at", "expires", "at", "retirement"]
    assert " never  " in first
    assert " (in 2 days)  " in second


@on_both_engines
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


@on_both_engines
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


def test_labels_tell_secrets_apart(command_line: CommandLine, application_id: str) -> None:
    """``create --label`` and ``change --label``; never with a secret in it."""
    made = command_line.print_json("secrets", "create", "--application", application_id, "--label", "plant 4")
    assert made["label"] == "plant 4"
    changed = command_line.print_json("secrets", "change", made["secretId"], "--label", "plant 5")
    assert command_line.print_json("secrets", "show", made["secretId"])["label"] == changed["label"] == "plant 5"
    assert "plant 5" in command_line.run("secrets", "list", "--application", application_id).stdout
    refused = command_line.run("secrets", "change", made["secretId"], "--label", made["applicationSecret"])
    assert refused.exit_code == 2
    assert made["applicationSecret"] not in refused.output


@on_both_engines
def test_change_sets_and_puts_back(command_line: CommandLine, application_id: str) -> None:
    """An end and a retirement, and neither; both at once, or nothing at all, is a usage error."""
    secret_id = command_line.print_json("secrets", "create", "--application", application_id)["secretId"]
    set_ = command_line.print_json(
        "secrets", "change", secret_id, "--expires-in", "3600", "--retire-unused-for", "86400"
    )
    assert (set_["expiresAt"] is not None, set_["retireUnusedFor"]) == (True, 86_400)
    back = command_line.print_json("secrets", "change", secret_id, "--never-expires", "--never-retires")
    assert (back["expiresAt"], back["retireUnusedFor"]) == (None, None)
    for arguments in ([], ["--expires-in", "5", "--never-expires"], ["--expires-in", "0"]):
        assert command_line.run("secrets", "change", secret_id, *arguments).exit_code == 2
    command_line.run("secrets", "revoke", secret_id)
    refused = command_line.run("secrets", "change", secret_id, "--label", "late")
    assert refused.exit_code == 1
    assert "is revoked and stays so" in refused.stderr


def test_z02_rotate_shows_the_new_one_and_when_the_old_one_ends(command_line: CommandLine, application_id: str) -> None:
    """One call: the new secret once, and what ends when; nothing ends by itself unless that was asked for."""
    (old,) = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    rotated = command_line.print_json(
        "secrets", "rotate", "--application", application_id, "--old-end-in", "86400", "--label", "next"
    )
    assert has_valid_checksum(rotated["applicationSecret"])
    assert (rotated["label"], rotated["state"]) == ("next", "active")
    (ending,) = rotated["ending"]
    assert (ending["secretId"], ending["state"]) == (old["secretId"], "active")
    assert ending["expiresAt"] is not None
    result = command_line.run("secrets", "rotate", "--application", application_id, "--retire-old-unused-for", "7200")
    assert result.stdout.count("sensos_sk_") == 1
    assert f"The secret {old['secretId']} ends at {ending['expiresAt']} (in 1 day), or when " in result.stdout
    assert f"The secret {rotated['secretId']} ends when it was not used for 2 hours." in result.stdout
    last = command_line.run("secrets", "rotate", "--application", application_id)
    assert "stays valid until you revoke it." in last.stdout
    listed = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    assert [secret["state"] for secret in listed] == ["active"] * 4


def test_rotate_refuses_an_end_that_is_none(command_line: CommandLine, application_id: str) -> None:
    """Then nothing was made either."""
    result = command_line.run("secrets", "rotate", "--application", application_id, "--old-end-in", "0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(command_line.print_json("secrets", "list", "--application", application_id)["secrets"]) == 1


@on_both_engines
def test_show_says_whether_it_is_safe_to_retire(command_line: CommandLine, application_id: str) -> None:
    """In a sentence, for programs, and for scripts by its exit status."""
    (old,) = command_line.print_json("secrets", "list", "--application", application_id)["secrets"]
    assert (old["isSafeToRetire"], old["lastUsedAt"]) == (False, None)
    assert "has not recorded any use yet" in old["retirement"]
    check = ("secrets", "show", old["secretId"], "--fail-unless-safe-to-retire")
    assert command_line.run(*check).exit_code == 1
    new = command_line.print_json("secrets", "rotate", "--application", application_id)
    now = int(time.time())
    for secret_id, ago in ((old["secretId"], 93_600), (new["secretId"], 60)):
        command_line.change_registry(
            "INSERT INTO secret_uses VALUES (:secret_id, :used_at, :expire_at)",
            secret_id=secret_id,
            used_at=now - ago,
            expire_at=now - ago + 36_000,
        )
    shown = command_line.run(*check)
    assert shown.exit_code == 0
    assert "not used for 26 h: safe to retire; its last token expired 16 h ago" in shown.stdout
    assert command_line.run("secrets", "show", old["secretId"]).exit_code == 0
    listed = command_line.run("secrets", "list", "--application", application_id).stdout
    assert "not used for 26 h: safe to retire" in listed
    assert "not yet" in listed


@on_both_engines
def test_i08_expiring_is_an_exit_status_for_monitoring(command_line: CommandLine, application_id: str) -> None:
    """0 and nothing while none ends soon, else 1 and which."""
    assert command_line.print_json("secrets", "expiring")["secrets"] == []
    assert command_line.run("secrets", "expiring").stdout == "No secret ends within 30 days.\n"
    made = command_line.print_json("secrets", "create", "--application", application_id, "--expires-in", "863940")
    result = command_line.run("secrets", "expiring", "--json")
    (found,) = json.loads(result.stdout)["secrets"]
    assert (result.exit_code, found["secretId"], found["expiresAt"]) == (1, made["secretId"], made["expiresAt"])
    assert command_line.run("secrets", "expiring", "--within", "9").exit_code == 0
    assert "(in 9 days)" in command_line.run("secrets", "expiring", "--within", "10").stdout
    command_line.run("applications", "disable", application_id)
    assert command_line.run("secrets", "expiring").exit_code == 0
