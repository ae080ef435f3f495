import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.server.limits_url import LimitsUrl, limits_url

NAME = "SENSOS_AUTH_LIMITS_URL"
SECRET = "pa55-word"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("redis://cache.example.com", LimitsUrl("cache.example.com", 6379)),
        ("valkey://10.0.0.7:7000/3", LimitsUrl("10.0.0.7", 7000, 3)),
        ("redis://[2001:db8::7]:7000/", LimitsUrl("2001:db8::7", 7000)),
        ("rediss://:p%40ss@host", LimitsUrl("host", 6379, 0, is_encrypted=True, password="p@ss")),
        ("valkeys://me:p%2Fs@host:1", LimitsUrl("host", 1, 0, is_encrypted=True, user="me", password="p/s")),
    ],
)
def test_how_the_server_is_named(written: str, meant: LimitsUrl) -> None:
    """With a port if it is another one, a number if it is another database, a user if there is one."""
    assert limits_url({NAME: written}) == meant


def test_there_is_none_where_nothing_is_set() -> None:
    """Each worker counts by itself."""
    assert limits_url({}) is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        "cache.example.com:6379",
        "https://host",
        "redis://",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@host:port",
        f"redis://:{SECRET}@host:0",
        f"redis://:{SECRET}@host:65536",
        f"redis://:{SECRET}@host/name",
        f"redis://:{SECRET}@host/0/1",
        f"redis://:{SECRET}@host?ssl_cert_reqs=none",
        f"redis://:{SECRET}#@host",
        f"redis://:{SECRET}/@host",
        f"redis://:{SECRET} @host",
        f"redis://{SECRET}@host",
        f"redis://:{SECRET}\n@host",
        f"redis://:{SECRET}ä@host",
        f"redis://[:{SECRET}@host",
    ],
)
def test_z52_other_urls_are_refused_by_the_name_of_the_setting(written: str) -> None:
    """Saying how it is written, and nothing of what was: there may be a password in it."""
    with pytest.raises(ConfigurationError, match=f"{NAME} must look like redis://host:6379") as refused:
        limits_url({NAME: written})
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_url_in_a_file(tmp_path: Path) -> None:
    """SENSOS_AUTH_LIMITS_URL_FILE names it, so that the password is in no variable; blanks round the URL go."""
    file = tmp_path / "limits-url"
    file.write_text(f" rediss://me:{SECRET}@host\n", encoding="utf-8")
    meant = LimitsUrl("host", 6379, is_encrypted=True, user="me", password=SECRET)
    assert limits_url({f"{NAME}_FILE": str(file)}) == meant


@pytest.mark.parametrize("content", ["", f"{SECRET}", f"redis://{SECRET}@host", f"redis://host {SECRET}"])
def test_z52_file_without_such_a_url_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    """By the variable that names it."""
    file = tmp_path / "limits-url"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"{NAME}_FILE") as refused:
        limits_url({f"{NAME}_FILE": str(file)})
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_z52_url_and_file_at_once_are_refused(tmp_path: Path) -> None:
    """Which of the two is meant, nobody can tell."""
    with pytest.raises(ConfigurationError, match=f"set either {NAME} or {NAME}_FILE, not both"):
        limits_url({NAME: "redis://host", f"{NAME}_FILE": str(tmp_path)})


def test_password_is_not_shown() -> None:
    """Nor the user; the place is."""
    url = limits_url({NAME: f"redis://me:{SECRET}@[::1]:7000"})
    assert repr(url) == "LimitsUrl(host='::1', port=7000, database=0)"
    assert url is not None
    assert url.place == "[::1]:7000"


def test_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, and not when the first exchange fails."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=re.escape("pip install 'sensos-auth[server,limits]'")):
        limits_url({NAME: "redis://host"})


def test_package_is_only_loaded_where_limits_are_shared() -> None:
    """It is an extra, and takes its time."""
    code = "import sys, sensos_auth.server.worker, sensos_auth.cli.doctor; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
