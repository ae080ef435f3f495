import json
import os
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest

from sensos_auth.issuing.configuration import obtain_master_key, token_settings
from sensos_auth.issuing.issuer import ApplicationCredentials, Issuer
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.registry import Registry
from sensos_auth.registry.credentials import Credential, find_credential
from tests.cli.command_line import CommandLine, on_both_engines


@dataclass(frozen=True)
class ReadEachTime:
    """A reader of credentials that reads the registry whenever it is asked, on either engine."""

    registry: Registry

    def find(self, digest: bytes) -> Credential | None:
        """Return what the registry says of the secret at this moment."""
        with self.registry.view() as view:
            return find_credential(view, digest)

    def check_still_good(self) -> None:
        """Do nothing: it was read a moment ago."""


def issue(command_line: CommandLine, age: int = 0, **application: str) -> str:
    """Return an access token of a fresh application, issued ``age`` seconds ago."""
    made = command_line.new_application(**application)
    if not command_line.master_key_file.exists():
        command_line.run("keys", "rotate")
    environment = {"SENSOS_AUTH_DATA_DIR": str(command_line.data_folder)}
    registry = command_line.open_registry()
    try:
        issuer = Issuer(
            ReadEachTime(registry),
            Keyring(KeysInRegistry(registry), obtain_master_key(registry, environment)),
            token_settings(environment),
            lambda: int(time.time()) - age,
        )
        shown = ApplicationCredentials(made["tenantId"], made["applicationId"], made["applicationSecret"])
        return issuer.issue(shown).access_token
    finally:
        registry.close()


@pytest.fixture
def token(command_line: CommandLine) -> str:
    """Return a fresh access token."""
    return issue(command_line, scope="a b")


def refusal(command_line: CommandLine, token: str) -> str:
    """Return why the token is not accepted, as programs read it."""
    result = command_line.run("tokens", "inspect", "--json", stdin=token)
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["accepted"] is False
    return str(document["reason"])


@on_both_engines
def test_a_good_token_is_accepted(command_line: CommandLine, token: str) -> None:
    """A token of this registry: status 0, its header and claims, and that it is accepted."""
    document = command_line.print_json("tokens", "inspect", stdin=f"  {token}\n")
    assert (document["accepted"], document["reason"]) == (True, None)
    assert document["header"]["typ"] == "at+jwt"
    assert (document["claims"]["scope"], document["claims"]["aud"]) == ("a b", "sensos-api")


def test_people_read_the_times_in_words(command_line: CommandLine, token: str) -> None:
    """People get header and claims, when it expires, and the verdict."""
    output = command_line.run("tokens", "inspect", stdin=token).stdout
    assert '"alg": "ES256"' in output
    assert "(in 9 hours)" in output or "(in 10 hours)" in output
    assert output.endswith("accepted  yes\n")


def test_the_token_can_come_from_a_file(command_line: CommandLine, token: str, tmp_path: Path) -> None:
    """--file does what standard input does; a file that is not there is wrong usage."""
    file = tmp_path / "token.txt"
    file.write_text(token)
    assert command_line.print_json("tokens", "inspect", "--file", str(file))["accepted"] is True
    assert command_line.run("tokens", "inspect", "--file", str(tmp_path / "none")).exit_code == 2


def test_the_token_is_never_printed(command_line: CommandLine, token: str) -> None:
    """Neither the token nor its signature is in any output, also where it is given wrongly."""
    signature = token.rpartition(".")[2]
    for arguments, stdin in (
        ((), token),
        (("--json",), token),
        ((token,), ""),
        (("--file", token), ""),
        ((f"--token={token}",), ""),
    ):
        assert signature not in command_line.run("tokens", "inspect", *arguments, stdin=stdin).output


def test_an_expired_token_is_shown_and_not_accepted(command_line: CommandLine) -> None:
    """Status 1, the claims are printed all the same, and people read how long ago it expired."""
    expired = issue(command_line, age=3700, lifetime="60")
    assert refusal(command_line, expired) == "expired"
    output = command_line.run("tokens", "inspect", stdin=expired).stdout
    assert "(1 hour ago)" in output
    assert "accepted  no: expired" in output


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("SENSOS_AUTH_ISSUER", "https://auth.example.com", "wrong issuer"),
        ("SENSOS_AUTH_AUDIENCE", "another-api", "wrong audience"),
    ],
)
def test_a_token_of_another_deployment(
    command_line: CommandLine, token: str, variable: str, value: str, reason: str
) -> None:
    """Issuer and audience are those of this environment."""
    command_line.environment[variable] = value
    assert refusal(command_line, token) == reason


@on_both_engines
def test_a_token_of_a_revoked_key(command_line: CommandLine, token: str) -> None:
    """A revoked key is no longer published, so its tokens are not accepted."""
    (key,) = command_line.print_json("keys", "list")["keys"]
    command_line.run("keys", "revoke", key["kid"])
    assert refusal(command_line, token) == "unknown key ID"


def test_a_token_of_another_registry(token: str, tmp_path: Path) -> None:
    """Another registry without any key, then with one of its own, accepts nothing of ours."""
    other = CommandLine(tmp_path / "other")
    assert refusal(other, token) == "this registry publishes no signing key"
    other.run("keys", "rotate")
    assert refusal(other, token) == "unknown key ID"


def test_a_forged_signature(command_line: CommandLine, token: str) -> None:
    """A changed signature is told as such."""
    message, _, signature = token.rpartition(".")
    forged = f"{message}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    assert refusal(command_line, forged) == "wrong signature"


@pytest.mark.parametrize(
    "text",
    ["hello", "a.b.c", "a.b", "....", "\x00", "\x1b[31m", "ä.ö.ü", "e30.e30.", "e30.e30.AA", "x" * 100_000, "[].[].[]"],
)
def test_what_is_no_token_is_refused(command_line: CommandLine, text: str) -> None:
    """What has not the form of an access token: status 1, one sentence, nothing of it repeated."""
    result = command_line.run("tokens", "inspect", stdin=text)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: this is not an access token: ")
    assert text not in result.stderr


def test_no_token_is_wrong_usage(command_line: CommandLine) -> None:
    """Empty input: status 2, and how to pass one."""
    result = command_line.run("tokens", "inspect", stdin=" \n")
    assert result.exit_code == 2
    assert "standard input" in result.stderr


def test_claims_cannot_write_to_the_terminal(command_line: CommandLine) -> None:
    """Control characters in a foreign token's claims are escaped, not sent to the terminal."""
    parts = (
        json.dumps({"alg": "ES256", "kid": "\x1b[2J"}),
        json.dumps({"iss": "\x1b]0;x\x07", "exp": True, "iat": 1e300}),
    )
    encoded = [urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]
    result = command_line.run("tokens", "inspect", stdin=f"{encoded[0]}.{encoded[1]}.AA")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert "not said" in result.stdout
    assert os.linesep in result.stdout
