import base64
from pathlib import Path

import pytest

from sensos_auth.issuing.configuration import (
    master_key_file,
    obtain_master_key,
    signing_algorithm,
    token_settings,
)
from sensos_auth.issuing.issuer import TokenSettings
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry import Registry

_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
_OTHER = base64.urlsafe_b64encode(bytes(32)).decode()


def test_defaults_are_those_of_the_quickstart() -> None:
    """Nothing set: a local issuer, the audience of the example API, ten hours, ES256."""
    assert token_settings({}) == TokenSettings("http://127.0.0.1:8000", "sensos-api", 36_000)
    assert signing_algorithm({}) == "ES256"


def test_settings_are_read() -> None:
    """Each variable sets what it names."""
    environment = {
        "SENSOS_AUTH_ISSUER": "https://auth.example:8443/tenant/a",
        "SENSOS_AUTH_AUDIENCE": "my api",
        "SENSOS_AUTH_TOKEN_LIFETIME": "86400",
        "SENSOS_AUTH_SIGNING_ALGORITHM": "EdDSA",
    }
    assert token_settings(environment) == TokenSettings("https://auth.example:8443/tenant/a", "my api", 86_400)
    assert signing_algorithm(environment) == "EdDSA"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(
            ("SENSOS_AUTH_ISSUER", value)
            for value in [
                "",
                "auth.example",
                "ftp://auth.example",
                "https://",
                "https://:8443",
                "https://auth.example?x=1",
                "https://auth.example?",
                "https://auth.example#x",
                "https://user:canary@auth.example",
                " https://auth.example",
                "https://auth.example\n",
                "https://auth example",
                "https://ä.example",
                "http://[",
                "https://auth.example:99999",
                "https://auth.example/" + "x" * 512,
            ]
        ),
        *(("SENSOS_AUTH_AUDIENCE", value) for value in ["", "  ", "a\nb", "x" * 513]),
        *(("SENSOS_AUTH_TOKEN_LIFETIME", value) for value in ["", "10h", "0", "-1", "86401", "1.5", "9" * 5000]),
        *(("SENSOS_AUTH_SIGNING_ALGORITHM", value) for value in ["", "none", "HS256", "es256"]),
    ],
)
def test_z52_bad_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    """The message names the variable and what is expected, and does not repeat what may be a secret."""
    with pytest.raises(ConfigurationError, match=variable) as caught:
        (signing_algorithm if "ALGORITHM" in variable else token_settings)({variable: value})
    assert "canary" not in str(caught.value)


def test_master_key_file_is_chosen_or_in_the_data_folder() -> None:
    """SENSOS_AUTH_MASTER_KEY_FILE, or master.key in the data folder; set to nothing, it is refused by name."""
    assert master_key_file({"SENSOS_AUTH_MASTER_KEY_FILE": "/run/key"}) == Path("/run/key")
    assert master_key_file({"SENSOS_AUTH_DATA_DIR": "/srv/auth"}) == Path("/srv/auth/master.key")
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_MASTER_KEY_FILE is empty"):
        master_key_file({"SENSOS_AUTH_MASTER_KEY_FILE": ""})


def test_missing_file_is_made_while_there_is_no_key_yet(sqlite_registry: Registry, tmp_path: Path) -> None:
    """The first start makes it; the second finds it and opens the keys with it."""
    environment = {"SENSOS_AUTH_DATA_DIR": str(tmp_path)}
    keep_keys_current(sqlite_registry, obtain_master_key(sqlite_registry, environment), "ES256")
    text = (tmp_path / "master.key").read_text()
    obtain_master_key(sqlite_registry, environment)
    assert (tmp_path / "master.key").read_text() == text


def test_z25_i13_missing_file_is_never_replaced_once_there_is_a_key(sqlite_registry: Registry, tmp_path: Path) -> None:
    """The start is refused, the message says what to put back, and no new key is made over the old one."""
    environment = {"SENSOS_AUTH_DATA_DIR": str(tmp_path)}
    keep_keys_current(sqlite_registry, obtain_master_key(sqlite_registry, environment), "ES256")
    (tmp_path / "master.key").unlink()
    with pytest.raises(ConfigurationError, match=r"master\.key is missing.*put it back, or set SENSOS_AUTH_MASTER_KEY"):
        obtain_master_key(sqlite_registry, environment)
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("content", [_OTHER, _KEY[:30], "", "canary"])
def test_z25_i13_wrong_or_truncated_file_is_refused_and_left_alone(
    sqlite_registry: Registry, tmp_path: Path, content: str
) -> None:
    """Another master key than the registry's is refused and not overwritten."""
    file = tmp_path / "master.key"
    environment = {"SENSOS_AUTH_MASTER_KEY_FILE": str(file)}
    keep_keys_current(sqlite_registry, obtain_master_key(sqlite_registry, environment), "ES256")
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="master key"):
        obtain_master_key(sqlite_registry, environment)
    assert file.read_text() == content


def test_master_key_from_the_environment_makes_no_file(sqlite_registry: Registry, tmp_path: Path) -> None:
    """SENSOS_AUTH_MASTER_KEY comes first; a wrong one later is refused by name, and nothing is written."""
    environment = {"SENSOS_AUTH_DATA_DIR": str(tmp_path / "data"), "SENSOS_AUTH_MASTER_KEY": _KEY}
    keep_keys_current(sqlite_registry, obtain_master_key(sqlite_registry, environment), "ES256")
    for wrong in (_OTHER, "canary", ""):
        with pytest.raises(ConfigurationError, match="SENSOS_AUTH_MASTER_KEY") as caught:
            obtain_master_key(sqlite_registry, environment | {"SENSOS_AUTH_MASTER_KEY": wrong})
        assert wrong == "" or wrong not in str(caught.value)
    assert not (tmp_path / "data").exists()
