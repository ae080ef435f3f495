"""The commands that take something away: what verifiers get to hear, and ``--wait`` until they have."""

import json
import time
from pathlib import Path

import pytest

from sensos_auth.model.revocation import RevocationKind
from sensos_auth.registry.revocations import find_revocation
from tests.cli.command_line import CommandLine, on_both_engines
from tests.cli.polling import Poller
from tests.cli.test_tokens import issue


@pytest.fixture
def poller(command_line: CommandLine) -> Poller:
    """Return the verifiers of a registry that exists."""
    command_line.run("keys", "rotate")
    return Poller(command_line)


def is_revoked(command_line: CommandLine, kind: RevocationKind, identifier: str) -> bool:
    """Tell whether the feed says something of the subject."""
    registry = command_line.open_registry()
    with registry.view() as view:
        found = find_revocation(view, kind, identifier)
    registry.close()
    return found is not None


def takes_away(command_line: CommandLine) -> dict[str, tuple[list[str], RevocationKind, str]]:
    """Return every command that takes something away, ready to run, with what it takes away."""
    application = command_line.new_application()
    tenant_id, application_id, secret_id = (application[name] for name in ("tenantId", "applicationId", "secretId"))
    kid = command_line.print_json("keys", "list")["keys"][0]["kid"]
    return {
        "token": (["tokens", "revoke", "--token-id=-abc"], RevocationKind.TOKEN, "-abc"),
        "secret": (["secrets", "revoke", secret_id, "--with-tokens"], RevocationKind.CREDENTIAL, secret_id),
        "application": (["applications", "disable", application_id], RevocationKind.APPLICATION, application_id),
        "tenant": (["tenants", "disable", tenant_id], RevocationKind.TENANT, tenant_id),
        "key": (["keys", "revoke", kid], RevocationKind.SIGNING_KEY, kid),
    }


EVERYTHING = ["token", "secret", "application", "tenant", "key"]


@on_both_engines
@pytest.mark.parametrize("what", EVERYTHING)
def test_what_is_taken_away_is_refused_by_all(command_line: CommandLine, poller: Poller, what: str) -> None:
    """With --wait, the command ends when the last live verifier has confirmed, and says how many that were."""
    arguments, kind, identifier = takes_away(command_line)[what]
    poller.report("gone", version=0, live_for=-1)
    with poller.polling("api-1", "api-2", "api-3"):
        result = command_line.run(*arguments, "--wait")
    assert result.exit_code == 0, result.output
    last = result.stdout.splitlines()[-1]
    assert last.startswith("refused by 3 of 3 verifiers after 0.")
    assert last.endswith(" s")
    assert is_revoked(command_line, kind, identifier)


@pytest.mark.parametrize("what", EVERYTHING)
def test_without_wait_nobody_is_waited_for(command_line: CommandLine, poller: Poller, what: str) -> None:
    """The entry is there when the command returns; JSON tells of no verifiers."""
    arguments, kind, identifier = takes_away(command_line)[what]
    poller.report("api-1", version=0)
    assert "verifiers" not in command_line.print_json(*arguments)
    assert is_revoked(command_line, kind, identifier)


@on_both_engines
def test_verifier_that_does_not_confirm_is_named(command_line: CommandLine, poller: Poller) -> None:
    """Status 1 after the time-out; what was taken away is taken away all the same."""
    arguments, kind, identifier = takes_away(command_line)["application"]
    poller.report("slow", version=5)
    began = time.monotonic()
    with poller.polling("quick"):
        result = command_line.run(*arguments, "--wait", "--wait-timeout", "0.4")
    assert 0.4 <= time.monotonic() - began < 5
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == ("refused by 1 of 2 verifiers after 0.4 s; not confirmed by slow (app_a)")
    assert is_revoked(command_line, kind, identifier)


def test_z74_verifier_that_goes_away_has_not_confirmed(command_line: CommandLine, poller: Poller) -> None:
    """However long one waits: it may have ended, or be cut off and accept what was taken away. It is named."""
    arguments, _, _ = takes_away(command_line)["application"]
    poller.report("cut-off", version=5, live_for=400)
    with poller.polling("quick"):
        result = command_line.run(*arguments, "--wait", "--wait-timeout", "30")
    assert result.exit_code == 1
    last = result.stdout.splitlines()[-1]
    assert last.startswith("refused by 1 of 2 verifiers after 0.")
    assert last.endswith("; went away before confirming: cut-off (app_a)")


def test_verifiers_that_lose_their_own_right_are_not_waited_for(command_line: CommandLine, poller: Poller) -> None:
    """Whoever disables the application that verifiers report as: they have no token to confirm with."""
    application_id = command_line.new_application()["applicationId"]
    poller.report("own", application_id=application_id)
    result = command_line.run("applications", "disable", application_id, "--wait")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "no verifier reports to the revocation feed, so none was waited for",
    )


def test_p10_many_names_hide_nobody(command_line: CommandLine, poller: Poller) -> None:
    """An application that reports under a thousand names is named once, beside the verifier of another one."""
    arguments, _, _ = takes_away(command_line)["application"]
    poller.report(*(f"n{number:03}" for number in range(1000)), version=5)
    poller.report("gate", version=5, application_id="app_b")
    result = command_line.run(*arguments, "--wait", "--wait-timeout", "0")
    assert result.stdout.splitlines()[-1] == (
        "refused by 0 of 1001 verifiers after 0.0 s; "
        "not confirmed by n000, n001, n002, n003, n004 and 995 more (app_a), gate (app_b)"
    )


def test_time_to_wait_is_a_number(command_line: CommandLine) -> None:
    """Not nan, which no time ever reaches: nothing is revoked, wrong usage."""
    result = command_line.run("tokens", "revoke", "--token-id", "x", "--wait", "--wait-timeout", "nan")
    assert (result.exit_code, "not a number of seconds" in result.output) == (2, True)
    assert not is_revoked(command_line, RevocationKind.TOKEN, "x")


def test_programs_read_who_confirmed(command_line: CommandLine, poller: Poller) -> None:
    """In the member verifiers of the JSON; the sentence goes to standard error."""
    arguments, _, identifier = takes_away(command_line)["application"]
    poller.report("slow", version=5)
    result = command_line.run(*arguments, "--wait", "--wait-timeout", "0", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["applicationId"] == identifier
    assert document["state"] == "disabled"
    assert document["verifiers"].pop("seconds") < 1
    behind = [{"name": "slow", "applicationId": "app_a"}]
    assert document["verifiers"] == {"live": 1, "confirmed": 0, "behind": behind, "gone": []}
    assert "refused by 0 of 1 verifiers" in result.stderr


def test_no_live_verifier_is_no_failure(command_line: CommandLine, poller: Poller) -> None:
    """There is nobody to wait for, and the command says so."""
    arguments, _, _ = takes_away(command_line)["tenant"]
    poller.report("gone", version=0, live_for=-1)
    result = command_line.run(*arguments, "--wait")
    assert result.exit_code == 0
    assert result.stdout.endswith("no verifier reports to the revocation feed, so none was waited for\n")
    document = command_line.print_json("tokens", "revoke", "--token-id=x", "--wait")
    assert (document["verifiers"]["live"], document["verifiers"]["behind"]) == (0, [])


def test_secret_can_be_revoked_without_its_tokens(command_line: CommandLine) -> None:
    """Then verifiers hear nothing, --wait makes no sense, and the tokens can be taken away later."""
    secret_id = command_line.new_application()["secretId"]
    assert command_line.run("secrets", "revoke", secret_id, "--wait").exit_code == 2
    assert command_line.print_json("secrets", "revoke", secret_id)["state"] == "revoked"
    assert not is_revoked(command_line, RevocationKind.CREDENTIAL, secret_id)
    assert command_line.print_json("secrets", "revoke", secret_id, "--with-tokens")["state"] == "revoked"
    assert is_revoked(command_line, RevocationKind.CREDENTIAL, secret_id)


@pytest.mark.parametrize("command", [["applications", "disable"], ["tenants", "disable"], ["keys", "revoke"]])
def test_help_says_how_soon_tokens_are_refused(command_line: CommandLine, command: list[str]) -> None:
    """And that this takes verifiers that follow the feed."""
    text = " ".join(command_line.run(*command, "--help").stdout.split())
    assert "Verifiers that follow the revocation feed refuse" in text
    assert "within a second" in text


@on_both_engines
def test_verifiers_are_listed(command_line: CommandLine, poller: Poller) -> None:
    """Name, application, whether they have confirmed, what they hold, whether they are live; page by page."""
    command_line.print_json("tokens", "revoke", "--token-id=x")
    poller.report("behind", version=5)
    poller.report("confirmed")
    poller.report("gone", live_for=-1)
    document = command_line.print_json("verifiers", "list", "--limit", "2")
    behind, confirmed = document["verifiers"]
    assert behind.pop("lastSeenAt").endswith("Z")
    assert behind == {
        "name": "behind",
        "applicationId": "app_a",
        "tenantId": "ten_a",
        "state": "behind",
        "live": True,
        "version": 5,
        "keys": ["k1", "k2"],
    }
    assert (confirmed["name"], confirmed["state"], confirmed["live"]) == ("confirmed", "confirmed", True)
    cursor = document["metadata"]["nextCursor"]
    rest = command_line.print_json("verifiers", "list", "--cursor", cursor)
    assert [(row["name"], row["live"]) for row in rest["verifiers"]] == [("gone", False)]
    assert rest["metadata"]["nextCursor"] is None
    wrong = command_line.run("verifiers", "list", "--cursor", "app_a")
    assert (wrong.exit_code, "application ID and a name" in wrong.output) == (2, True)


def test_people_read_the_verifiers_in_a_table(command_line: CommandLine, poller: Poller) -> None:
    """One line each; without any, a sentence."""
    assert command_line.run("verifiers", "list").stdout == "There are no verifiers.\n"
    poller.report("api-1")
    head, line = command_line.run("verifiers", "list").stdout.splitlines()
    assert head.split()[:4] == ["name", "application", "ID", "state"]
    assert line.split()[:4] == ["api-1", "app_a", "confirmed", "yes"]


@on_both_engines
def test_n12_token_is_revoked_by_itself(command_line: CommandLine) -> None:
    """It is accepted before and not after; twice is no mistake; its application is not touched."""
    token = issue(command_line)
    assert command_line.print_json("tokens", "inspect", stdin=token)["accepted"] is True
    for _ in range(2):
        document = command_line.print_json("tokens", "revoke", stdin=token)
        assert (document["state"], document["applicationId"][:4], document["tenantId"][:4]) == (
            "revoked",
            "app_",
            "ten_",
        )
    result = command_line.run("tokens", "inspect", "--json", stdin=token)
    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (1, "revoked")
    assert [action for _, action, _ in command_line.audit_trail()].count("token.revoked") == 2


def test_n12_expired_token_needs_no_revoking(command_line: CommandLine) -> None:
    """Status 0, it says so, and no row is kept."""
    token = issue(command_line, age=40_000)
    assert command_line.print_json("tokens", "revoke", stdin=token)["state"] == "expired"
    result = command_line.run("tokens", "revoke", "--wait", stdin=token)
    assert result.exit_code == 0
    assert "there is nothing to revoke" in result.stdout
    assert "token.revoked" not in [action for _, action, _ in command_line.audit_trail()]


def test_n10_what_this_issuer_did_not_sign_is_not_revoked(command_line: CommandLine) -> None:
    """Garbage, a broken signature, another issuer: status 1, nothing is written, the token is not repeated."""
    token = issue(command_line)
    head, payload, signature = token.split(".")
    for bad in ("garbage", f"{head}.{payload}.{signature[:-4]}AAAA"):
        result = command_line.run("tokens", "revoke", stdin=bad)
        assert result.exit_code == 1
        assert signature[:20] not in result.output
    command_line.environment["SENSOS_AUTH_ISSUER"] = "https://other.example"
    result = command_line.run("tokens", "revoke", stdin=token)
    assert (result.exit_code, "another issuer" in result.output) == (1, True)
    assert "token.revoked" not in [action for _, action, _ in command_line.audit_trail()]


def test_token_of_a_key_that_is_gone_is_still_known(command_line: CommandLine) -> None:
    """Revoked or retired, the key tells whose token it was."""
    token = issue(command_line)
    kid = command_line.print_json("keys", "list")["keys"][0]["kid"]
    assert command_line.run("keys", "revoke", kid).exit_code == 0
    assert command_line.print_json("tokens", "revoke", stdin=token)["state"] == "revoked"


@pytest.mark.parametrize("given", ["eyJhbGciOi", "a.b.c", "", "a b", "a" * 65])
def test_token_itself_is_no_token_id(command_line: CommandLine, given: str) -> None:
    """An argument is seen by others: wrong usage, and what was given is not repeated."""
    result = command_line.run("tokens", "revoke", f"--token-id={given}")
    assert result.exit_code == 2
    assert not given or given not in result.output.replace("a token ID", "")


def test_token_is_named_in_one_way(command_line: CommandLine, tmp_path: Path) -> None:
    """A file and an ID are two tokens, perhaps: wrong usage."""
    file = tmp_path / "token.txt"
    file.write_text("x")
    result = command_line.run("tokens", "revoke", "--token-id", "x", "--file", str(file))
    assert (result.exit_code, "exclude each other" in result.output) == (2, True)
