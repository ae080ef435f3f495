import pytest

from sensos_auth.model.loopback import is_loopback, may_use_proxy


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine(host: str) -> None:
    """The loopback addresses and the name for them are this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "::"])
def test_other_machines(host: str) -> None:
    """A name that only begins alike is another machine, and so is the address of all interfaces."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8000/x", False),
        ("http://[::1]:8000/x", False),
        ("HTTP://localhost/x", False),
        ("https://127.0.0.1/x", True),
        ("http://auth.example.com/x", True),
        ("http://127.0.0.1@auth.example.com/x", True),
    ],
)
def test_plain_http_to_this_machine_uses_no_proxy(url: str, may: bool) -> None:  # noqa: FBT001 - a parameter
    """Only https and other machines may be reached through a proxy."""
    assert may_use_proxy(url) is may
