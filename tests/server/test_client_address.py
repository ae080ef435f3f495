import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.server.client_address import ClientAddress, trusted_proxies, whose
from tests.server.asgi_calls import http_scope

TRUSTED = "10.0.0.0/8, 2001:db8:ffff::/48 ,192.0.2.7"


def client(peer: str | None, *forwarded: str, trusted: str = TRUSTED) -> str | None:
    """Return whom a request with these X-Forwarded-For lines comes from."""
    scope = http_scope("POST", "/", *((b"x-forwarded-for", line.encode()) for line in forwarded))
    scope["client"] = None if peer is None else (peer, 5000)
    found = ClientAddress(trusted_proxies(trusted)).of(scope)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),  # nobody trusts it
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # what the client wrote stands on the left
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 192.0.2.7,2001:db8:ffff::5"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.9, 10.0.0.2"], "10.0.0.9"),  # a client inside
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["", " , "], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("fe80::1%eth0", [], "fe80::1"),
        ("10.0.0.1", ["\u00e9" * 10], "10.0.0.1"),
        ("10.0.0.1", ["1" * 5000 + ",203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9," + ",".join(["10.0.0.2"] * 1000)], "10.0.0.2"),
        (None, ["203.0.113.9"], None),
        ("/run/a.sock", [], None),
    ],
)
def test_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str | None, forwarded: list[str], found: str | None
) -> None:
    """X-Forwarded-For is believed from the right, as far as those are trusted who wrote it."""
    assert client(peer, *forwarded) == found


@pytest.mark.parametrize("trusted", ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1", "::/0, 0.0.0.0/0"])
def test_proxy_may_be_written_as_a_dual_stack_socket_shows_it(trusted: str) -> None:
    """An IPv4 address mapped into IPv6 is that IPv4 address, in the setting as in a request."""
    assert client("10.0.0.1", "203.0.113.9", trusted=trusted) == "203.0.113.9"
    assert client("::ffff:10.0.0.1", "203.0.113.9", trusted=trusted) == "203.0.113.9"


def test_without_trusted_proxies_nobody_is_believed() -> None:
    """The setting is empty by default."""
    assert client("127.0.0.1", "203.0.113.9", trusted="") == "127.0.0.1"


def test_one_subscriber_is_one_client() -> None:
    """An address of IPv4, a /64 of IPv6; the two families never meet."""

    def key(text: str) -> object:
        scope = http_scope()
        scope["client"] = (text, 1)
        address = ClientAddress(()).of(scope)
        assert address is not None
        return whose(address)

    assert key("2001:db8::1") == key("2001:db8::ffff:ffff:ffff:ffff") != key("2001:db8:0:1::1")
    assert key("203.0.113.9") == key("::ffff:203.0.113.9") != key("203.0.113.10")
    assert key("0.0.0.1") != key("::1")


@pytest.mark.parametrize("written", ["10.0.0.0/33", "10.0.0.1/8", "proxy.example", "10.0.0.1 10.0.0.2"])
def test_other_proxies_are_refused(written: str) -> None:
    """A network with host bits is a mistake, and names would be looked up."""
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_TRUSTED_PROXIES must be networks"):
        trusted_proxies(written)
