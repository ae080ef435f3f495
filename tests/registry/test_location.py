import traceback
from pathlib import Path

import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry import open_registry
from sensos_auth.registry.location import data_folder, database_url


def test_chosen_data_folder_comes_first() -> None:
    """SENSOS_AUTH_DATA_DIR is the data folder, with the home folder for ``~``."""
    assert data_folder({"SENSOS_AUTH_DATA_DIR": "/srv/auth", "XDG_DATA_HOME": "/x"}) == Path("/srv/auth")
    assert data_folder({"SENSOS_AUTH_DATA_DIR": "~/auth"}) == Path.home() / "auth"


@pytest.mark.parametrize("environment", [{}, {"XDG_DATA_HOME": ""}, {"XDG_DATA_HOME": "relative"}])
def test_default_data_folder_is_the_users(environment: dict[str, str]) -> None:
    """Without a choice, and with a relative XDG_DATA_HOME, which the specification ignores: the user's data folder."""
    assert data_folder(environment) == Path.home() / ".local" / "share" / "sensos-auth"


def test_xdg_data_home_is_heeded() -> None:
    """XDG_DATA_HOME moves the user's data folder."""
    assert data_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/sensos-auth")


def test_missing_home_folder_names_the_variable_to_set() -> None:
    """A user without a home folder is told which variable to set."""
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_DATA_DIR"):
        data_folder({"SENSOS_AUTH_DATA_DIR": "~nobody-of-that-name/auth"})


def test_database_url_is_chosen_or_in_the_data_folder() -> None:
    """SENSOS_AUTH_DATABASE_URL, or the file in the data folder by its absolute path."""
    assert database_url({"SENSOS_AUTH_DATABASE_URL": "sqlite:///x"}) == "sqlite:///x"
    assert database_url({"SENSOS_AUTH_DATA_DIR": "/srv/auth"}) == "sqlite:////srv/auth/registry.sqlite3"


@pytest.mark.parametrize("url", ["", "  "])
def test_z52_empty_database_url_is_refused_by_name(url: str) -> None:
    """A variable that is set to nothing is a mistake, and the message names it."""
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_DATABASE_URL is empty"):
        database_url({"SENSOS_AUTH_DATABASE_URL": url})


def test_database_url_in_a_file(tmp_path: Path) -> None:
    """SENSOS_AUTH_DATABASE_URL_FILE names a file that holds the URL, which a password may be in; blanks round it go."""
    file = tmp_path / "database-url"
    file.write_text("\ufeffpostgresql://sensos:s3cret@db/auth\r\n", encoding="utf-8")
    assert database_url({"SENSOS_AUTH_DATABASE_URL_FILE": str(file)}) == "postgresql://sensos:s3cret@db/auth"


@pytest.mark.parametrize("content", [b"", b" \n", b"host=db password=s3cret", b"s3cret\xff", b"s3cret" * 1000])
def test_file_without_a_url_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    """The message names the variable and nothing of what the file holds."""
    file = tmp_path / "database-url"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_DATABASE_URL_FILE") as refused:
        database_url({"SENSOS_AUTH_DATABASE_URL_FILE": str(file)})
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("name", ["", " ", "missing", "~nobody-of-that-name/url"])
def test_file_that_is_not_there_is_refused(name: str) -> None:
    """By the variable's name."""
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_DATABASE_URL_FILE"):
        database_url({"SENSOS_AUTH_DATABASE_URL_FILE": name})


def test_url_and_file_at_once_are_refused(tmp_path: Path) -> None:
    """Which of the two is meant, nobody can tell."""
    with pytest.raises(ConfigurationError, match="not both"):
        database_url({"SENSOS_AUTH_DATABASE_URL": "sqlite:///x", "SENSOS_AUTH_DATABASE_URL_FILE": str(tmp_path)})


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "registry.sqlite3", "sqlite:/x", "sqlite:///", "sqlite:///x?mode=rw", "postgresqls://h/d"]
)
def test_z52_other_database_url_is_refused_by_name(url: str) -> None:
    """A URL that can't be served is refused; the message names the variable."""
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_DATABASE_URL"):
        open_registry(url)


def test_relative_and_absolute_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes: relative to the working folder; four: absolute."""
    monkeypatch.chdir(tmp_path)
    open_registry("sqlite:///relative/one.sqlite3").close()
    open_registry(f"sqlite:///{tmp_path}/absolute/two.sqlite3").close()
    assert (tmp_path / "relative" / "one.sqlite3").exists()
    assert (tmp_path / "absolute" / "two.sqlite3").exists()
