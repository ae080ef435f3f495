"""Addresses: which are taken, and which origins see a token."""

import pytest

from sensos_auth.client import ConfigurationError
from sensos_auth.client.base_url import Origins, checked_base_url, is_plain_path


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com:8443/sensos/", "https://api.example.com:8443/sensos"),
        ("HTTPS://API.example.com", "HTTPS://API.example.com"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_good_addresses(given: str, kept: str) -> None:
    """TLS anywhere, plain http on this machine, with a path before the API's own."""
    assert checked_base_url(given, "SENSOS_BASE_URL") == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https:///v1",
        "https://api.example.com?x=1",
        "https://api.example.com/#x",
        "https://api.example.com:99999",
        "https://api.example.com:port",
        "https://api.example.com:0",
        "https://user@api.example.com",
        "http://localhost:80@attacker.test",
        "http://localhost\\@attacker.test",
        "https://api.example.com\n.attacker.test",
        " https://api.example.com",
        "https://api.example.com ",
        "https://xn--\u0430pi.example.com",
        "http://[::1",
        "https://api.example.com/a\nb",
        "https://api.example.com/a\u202eb",
        "https://api.example.com/a\\b",
        "https://api.example.com/a b",
    ],
)
def test_m04_addresses_that_are_none(given: str) -> None:
    """Nothing that two programs could understand differently."""
    with pytest.raises(ConfigurationError, match=r"^SENSOS_BASE_URL"):
        checked_base_url(given, "SENSOS_BASE_URL")


@pytest.mark.parametrize("given", ["http://api.example.com", "http://10.0.0.1", "http://127.0.0.1.attacker.test"])
def test_m03_plain_http_needs_a_word(given: str) -> None:
    """Refused, unless the option that names the danger is set."""
    with pytest.raises(ConfigurationError, match="https://"):
        checked_base_url(given, "SENSOS_BASE_URL")
    assert checked_base_url(given, "SENSOS_BASE_URL", allow_insecure_http=True) == given


@pytest.mark.parametrize(
    ("url", "is_permitted"),
    [
        ("https://api.example.com/v1/endpoint?x=1#y", True),
        ("https://API.EXAMPLE.COM:443/", True),
        ("https://files.example.com:8443/a", True),
        ("http://api.example.com/", False),
        ("https://api.example.com:444/", False),
        ("https://api.example.com:0/", False),
        ("https://api.example.com.attacker.test/", False),
        ("https://api.example.com@attacker.test/", False),
        ("https://attacker.test/?https://api.example.com", False),
        ("https://files.example.com/", False),
        ("/v1/endpoint", False),
        ("https://[", False),
    ],
)
def test_m13_origins(url: str, is_permitted: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Scheme, host and port must all be those of an allowed address."""
    origins = Origins(["https://api.example.com/v1", "https://files.example.com:8443"])
    assert origins.permit_url(url) is is_permitted


@pytest.mark.parametrize(
    ("path", "is_good"), [("/v1/a-b_c~%20(1)", True), ("v1", False), ("/a?b", False), ("/a\r\nb", False)]
)
def test_paths(path: str, is_good: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A path has no query, and nothing that would end the request line."""
    assert is_plain_path(path) is is_good
