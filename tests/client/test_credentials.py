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


@pytest.mark.parametrize("content", [b"ten_b", b"ten_b\r\n", b"\xef\xbb\xbften_b\n", b"\n ten_b \n\n"])
def test_what_editors_add_to_a_file(tmp_path: Path, content: bytes) -> None:
    """Line breaks of any system, and a byte order mark."""
    path = tmp_path / "tenant"
    path.write_bytes(content)
    environment = GOOD | {"SENSOS_TENANT_ID": "", "SENSOS_TENANT_ID_FILE": str(path)}
    assert Credentials.from_env(environment).tenant_id == "ten_b"
    assert Credentials("ten_a", "app_a", secret_file(path)).current_secret() == "ten_b"


def test_the_variable_to_look_at_is_the_one_that_is_set(tmp_path: Path) -> None:
    """With ``_FILE`` if it was that."""
    path = tmp_path / "tenant"
    path.write_text("Blue Motors")
    environment = GOOD | {"SENSOS_TENANT_ID": "", "SENSOS_TENANT_ID_FILE": str(path)}
    assert Credentials.from_env(environment).where_to_look("x").startswith("look at SENSOS_TENANT_ID_FILE, which")


@pytest.mark.parametrize("secret", [None, b"sensos_sk_x", "", "sensos_sk_x\n", 7])
def test_a_vault_that_returns_something_else(secret: object) -> None:
    """Bytes, nothing, or a line break at the end: said as it is."""
    credentials = Credentials("ten_a", "app_a", lambda: secret)  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigurationError, match="the application secret is empty, or not a line of ASCII text"):
        credentials.current_secret()


@pytest.mark.parametrize("patience", [0, -1, float("nan"), float("inf"), 1e12])
def test_patience_that_no_clock_can_count(patience: float) -> None:
    """More than nothing, less than a day: said at once, not when the first caller waits."""
    with pytest.raises(ConfigurationError, match="patience is more than 0 seconds, and a day at most"):
        TokenSource.from_env(GOOD, patience=patience)
