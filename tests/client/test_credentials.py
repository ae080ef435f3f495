"""Where credentials come from."""

from pathlib import Path

import pytest

from sensos_auth.client import ConfigurationError, Credentials, TokenSource, secret_file

GOOD = {
    "SENSOS_BASE_URL": "https://api.example.com",
    "SENSOS_TENANT_ID": "ten_a",
    "SENSOS_APPLICATION_ID": "app_a",
    "SENSOS_APPLICATION_SECRET": "sensos_sk_x",
}


def test_each_variable_may_be_a_file(tmp_path: Path) -> None:
    """With ``_FILE`` at the end; white space around the content does not count."""
    files = {}
    for name, value in GOOD.items():
        path = tmp_path / name
        path.write_text(f"{value}\n")
        files[f"{name}_FILE"] = str(path)
    credentials = Credentials.from_env(files)
    assert (credentials.tenant_id, credentials.application_id) == ("ten_a", "app_a")
    assert credentials.current_secret() == "sensos_sk_x"
    assert TokenSource.from_env(files).base_url == "https://api.example.com"


def test_every_missing_variable_is_named() -> None:
    """All at once, so that nobody mends one after the other."""
    with pytest.raises(ConfigurationError, match="set SENSOS_TENANT_ID and SENSOS_APPLICATION_SECRET, or"):
        Credentials.from_env({"SENSOS_APPLICATION_ID": "app_a", "SENSOS_TENANT_ID": ""})
    with pytest.raises(ConfigurationError, match="set SENSOS_BASE_URL and SENSOS_TENANT_ID, or"):
        TokenSource.from_env(GOOD | {"SENSOS_BASE_URL": "", "SENSOS_TENANT_ID": ""})


def test_a_variable_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    """Nobody would know which one counts."""
    with pytest.raises(ConfigurationError, match="either SENSOS_TENANT_ID or SENSOS_TENANT_ID_FILE"):
        Credentials.from_env(GOOD | {"SENSOS_TENANT_ID_FILE": str(tmp_path / "tenant")})


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 5000])
def test_files_that_hold_nothing_of_use(tmp_path: Path, content: bytes) -> None:
    """Said by the variable's name, without the content."""
    path = tmp_path / "tenant"
    path.write_bytes(content)
    environment = {name: value for name, value in GOOD.items() if name != "SENSOS_TENANT_ID"}
    with pytest.raises(ConfigurationError, match=r"^SENSOS_TENANT_ID_FILE "):
        Credentials.from_env(environment | {"SENSOS_TENANT_ID_FILE": str(path)})


def test_a_secret_file_by_its_path(tmp_path: Path) -> None:
    """For programs that have their settings from somewhere else."""
    path = tmp_path / "secret"
    path.write_text("sensos_sk_y\n")
    assert Credentials("ten_a", "app_a", secret_file(path)).current_secret() == "sensos_sk_y"
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        secret_file(tmp_path / "nowhere")()
