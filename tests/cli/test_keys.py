import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sensos_auth.model.signing_key import PUBLISHED_AFTER_SIGNING, PUBLISHED_BEFORE_SIGNING
from tests.cli.command_line import CommandLine, on_both_engines
from tests.cli.polling import Poller

HOUR = 3600


def states(command_line: CommandLine) -> dict[str, str]:
    """Return the state of each key by its ID."""
    return {key["kid"]: key["state"] for key in command_line.print_json("keys", "list")["keys"]}


def shift_keys(command_line: CommandLine, seconds: int) -> None:
    """Let time pass for the signing keys."""
    command_line.change_registry(
        "UPDATE signing_keys SET created_at = created_at - :seconds, signs_from = signs_from - :seconds, "
        "signs_until = signs_until - :seconds",
        seconds=seconds,
    )


def test_list_before_the_first_key(command_line: CommandLine) -> None:
    """A registry without keys lists none, and makes neither key nor master key."""
    assert command_line.print_json("keys", "list") == {"metadata": {"nextCursor": None}, "keys": []}
    assert command_line.run("keys", "list").stdout == "There are no keys.\n"
    assert not command_line.master_key_file.exists()


def test_the_first_key_signs_at_once(command_line: CommandLine) -> None:
    """Rotating an empty registry makes the first key, active."""
    key = command_line.print_json("keys", "rotate")
    assert (key["algorithm"], key["state"], key["signsUntil"], key["publishedUntil"]) == ("ES256", "active", None, None)
    assert command_line.print_json("keys", "list")["keys"] == [key]


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_rotate_makes_a_key_of_the_chosen_algorithm(command_line: CommandLine, algorithm: str) -> None:
    """SENSOS_AUTH_SIGNING_ALGORITHM decides about new keys."""
    command_line.environment["SENSOS_AUTH_SIGNING_ALGORITHM"] = algorithm
    assert command_line.print_json("keys", "rotate")["algorithm"] == algorithm


@on_both_engines
def test_rotate_publishes_the_next_key_48_hours_before_it_signs(command_line: CommandLine) -> None:
    """The next key is upcoming, the present one goes on signing; people read when it changes."""
    first = command_line.print_json("keys", "rotate")["kid"]
    output = command_line.run("keys", "rotate").stdout
    assert "The key is published, and signs in 2 days." in output
    assert list(states(command_line).values()) == ["active", "upcoming"]
    assert next(iter(states(command_line))) == first


def test_rotate_refuses_a_second_rotation_under_way(command_line: CommandLine) -> None:
    """While the next key waits to sign, another rotate is refused with status 1 and the way out."""
    command_line.run("keys", "rotate"), command_line.run("keys", "rotate")
    result = command_line.run("keys", "rotate")
    assert result.exit_code == 1
    assert "--immediately" in result.stderr


def test_rotate_immediately_signs_now_and_says_what_it_costs(command_line: CommandLine) -> None:
    """The emergency: the upcoming key signs now, the other retires; output and help tell the cost."""
    command_line.run("keys", "rotate"), command_line.run("keys", "rotate")
    output = command_line.run("keys", "rotate", "--immediately").stdout
    assert list(states(command_line).values()) == ["retiring", "active"]
    for text in (output, command_line.run("keys", "rotate", "--help").stdout):
        words = " ".join(text.split())
        assert "300 s" in words
        assert "fetched" in words
        assert "refuse" in words


@on_both_engines
def test_rotate_immediately_names_who_does_not_hold_the_key(command_line: CommandLine) -> None:
    """Live verifiers that say which keys they hold, before the cost is told; programs read them too."""
    command_line.run("keys", "rotate")
    upcoming = command_line.print_json("keys", "rotate")["kid"]
    poller = Poller(command_line)
    poller.report("gate-1", "gate-2")
    poller.report("gone", live_for=-1)
    poller.report("ready", kids=("k1", upcoming))
    poller.report("silent", kids=())
    output = command_line.run("keys", "rotate", "--immediately").stdout
    assert "Live verifiers that do not hold it: gate-1, gate-2 (app_a).\nThe key signs now." in output
    document = command_line.print_json("keys", "rotate", "--immediately")
    assert [each["name"] for each in document["verifiersWithoutKey"]] == ["gate-1", "gate-2", "ready"]
    assert "verifiersWithoutKey" not in command_line.print_json("keys", "rotate")


@on_both_engines
def test_list_follows_a_key_from_state_to_state(command_line: CommandLine) -> None:
    """The next key takes over after 48 hours; the one before leaves the JWKS when no token of it can live."""
    first, second = (command_line.print_json("keys", "rotate")["kid"] for _ in range(2))
    shift_keys(command_line, PUBLISHED_BEFORE_SIGNING + HOUR)
    assert states(command_line) == {first: "retiring", second: "active"}
    shift_keys(command_line, PUBLISHED_AFTER_SIGNING)
    assert states(command_line) == {first: "retired", second: "active"}


def test_list_is_a_table_for_people(command_line: CommandLine) -> None:
    """People read until when each key signs and is published, in words."""
    command_line.run("keys", "rotate"), command_line.run("keys", "rotate", "--immediately")
    head, retiring, active = command_line.run("keys", "list").stdout.splitlines()
    assert "published until" in head
    assert "ago)" in retiring
    assert "(in 2 days)" in retiring
    assert "its successor signs" in active


def test_list_goes_page_by_page(command_line: CommandLine) -> None:
    """--limit and --cursor work as everywhere; an unknown cursor is refused."""
    kids = [command_line.print_json("keys", "rotate")["kid"] for _ in range(2)]
    page = command_line.print_json("keys", "list", "--limit", "1")
    rest = command_line.print_json("keys", "list", "--cursor", page["metadata"]["nextCursor"])
    assert [key["kid"] for key in page["keys"] + rest["keys"]] == kids
    assert rest["metadata"]["nextCursor"] is None
    assert command_line.run("keys", "list", "--cursor", "nothing").exit_code == 1


@on_both_engines
def test_revoke_ends_the_key_and_another_signs(command_line: CommandLine) -> None:
    """The active key ends at once, a fresh one signs, and the output names it and what becomes of the tokens."""
    kid = command_line.print_json("keys", "rotate")["kid"]
    revoked = command_line.print_json("keys", "revoke", kid)
    assert (revoked["kid"], revoked["state"]) == (kid, "revoked")
    assert revoked["publishedUntil"] == revoked["revokedAt"]
    assert states(command_line) == {kid: "revoked", revoked["activeKid"]: "active"}
    output = command_line.run("keys", "revoke", revoked["activeKid"]).stdout
    assert "applications have to get new tokens" in output


def test_revoke_is_final(command_line: CommandLine) -> None:
    """A revoked key can't be revoked again, an unknown one not at all: status 1."""
    kid = command_line.print_json("keys", "rotate")["kid"]
    command_line.run("keys", "revoke", kid, "--yes")
    assert command_line.run("keys", "revoke", kid).exit_code == 1
    assert command_line.run("keys", "revoke", "unknown").stderr == "Error: there is no signing key unknown\n"


@pytest.mark.parametrize("kid", ["-abc", "--abc", "-y", "-"])
def test_revoke_takes_a_key_id_that_begins_with_a_hyphen(command_line: CommandLine, kid: str) -> None:
    """One thumbprint in 64 begins with a hyphen: it is a key ID and no option."""
    command_line.run("keys", "rotate")
    command_line.change_registry("UPDATE signing_keys SET kid = :kid, sealed_private_key = NULL", kid=kid)
    assert command_line.print_json("keys", "revoke", kid)["kid"] == kid


@on_both_engines
def test_z25_rotate_does_not_replace_a_missing_master_key(command_line: CommandLine) -> None:
    """Once there is a key, a missing master key is refused with one sentence, and none is made."""
    command_line.run("keys", "rotate")
    command_line.master_key_file.unlink()
    result = command_line.run("keys", "rotate")
    assert result.exit_code == 1
    assert "is missing" in result.stderr
    assert not command_line.master_key_file.exists()
    assert len(states(command_line)) == 1


def test_changes_are_on_record_under_the_user(command_line: CommandLine) -> None:
    """Rotation and revocation from here are the user's doing, not the system's."""
    kid = command_line.print_json("keys", "rotate")["kid"]
    command_line.run("keys", "revoke", kid)
    actors = {actor for actor, _, _ in command_line.audit_trail()}
    assert len(actors) == 1
    assert actors.pop().startswith("cli:")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "EdDSA"])
def test_pem_is_the_key_of_the_jwks(command_line: CommandLine, algorithm: str) -> None:
    """The public key and nothing else, which has the thumbprint that the key ID is (RFC 7638)."""
    command_line.environment["SENSOS_AUTH_SIGNING_ALGORITHM"] = algorithm
    kid = command_line.print_json("keys", "rotate")["kid"]
    printed = command_line.run("keys", "pem", kid).stdout
    assert printed.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert printed.endswith("-----END PUBLIC KEY-----\n")
    kinds: dict[str, type[ECKey | RSAKey | OKPKey]] = {"ES256": ECKey, "RS256": RSAKey, "EdDSA": OKPKey}
    key = kinds[algorithm].import_key(printed)
    assert not key.is_private
    assert key.thumbprint() == kid
    (told,) = command_line.print_json("keys", "pem")["keys"]
    assert (told["kid"], told["algorithm"], told["pem"]) == (kid, algorithm, printed)


@on_both_engines
def test_pem_prints_what_the_jwks_lists(command_line: CommandLine) -> None:
    """Upcoming and active, each under its key ID, algorithm and state; a revoked key is refused."""
    assert command_line.run("keys", "pem").stdout == ""
    first, second = (command_line.print_json("keys", "rotate")["kid"] for _ in range(2))
    lines = command_line.run("keys", "pem").stdout.splitlines()
    assert [line for line in lines if line.startswith("#")] == [f"# {first} ES256 active", f"# {second} ES256 upcoming"]
    command_line.run("keys", "revoke", first, "--yes")
    assert first not in command_line.run("keys", "pem").stdout
    result = command_line.run("keys", "pem", first)
    assert (result.exit_code, result.stdout) == (1, "")


@on_both_engines
def test_rewrap_rotates_the_master_key(command_line: CommandLine) -> None:
    """The file holds another one afterwards, which opens every key; doctor speaks of one that was cut off."""
    command_line.run("keys", "rotate")
    before = command_line.master_key_file.read_text()
    done = command_line.print_json("keys", "rewrap")
    assert done == {"keys": 1, "newMasterKeyFile": str(command_line.master_key_file), "isComplete": True}
    after = command_line.master_key_file.read_text()
    assert after != before
    command_line.master_key_file.write_text(before + after)
    assert "run sensos-auth keys rewrap" in command_line.run("doctor").output
    said = command_line.run("keys", "rewrap").stdout
    assert "goes on by itself" in said
    assert ("give every other node" in said) == command_line.registry_url.startswith("postgresql:")
    assert command_line.master_key_file.read_text() == after


def test_rewrap_of_a_master_key_in_the_environment_says_what_to_change(command_line: CommandLine) -> None:
    """It names the file of the new one, and shows neither."""
    command_line.environment["SENSOS_AUTH_MASTER_KEY"] = "ab" * 32
    command_line.run("keys", "rotate")
    refused = command_line.run("keys", "rewrap")
    assert refused.exit_code == 1
    assert "--new-master-key-file" in refused.stderr
    file = command_line.data_folder / "new.key"
    done = command_line.run("keys", "rewrap", "--new-master-key-file", str(file))
    assert done.exit_code == 0
    assert f"set SENSOS_AUTH_MASTER_KEY_FILE to {file}" in done.stdout
    assert file.read_text().strip() not in done.output
    assert command_line.run("keys", "rotate").exit_code == 1
    command_line.environment["SENSOS_AUTH_MASTER_KEY"] = file.read_text()
    assert command_line.run("keys", "rotate", "--immediately").exit_code == 0
