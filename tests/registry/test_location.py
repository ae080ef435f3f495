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


@pytest.mark.parametrize(
    "url", ["mysql://x/y", "registry.sqlite3", "sqlite:/x", "sqlite:///", "sqlite:///x?mode=rw", "postgresql://h/d"]
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
