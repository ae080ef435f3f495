"""Which client a request comes from, where proxies that are trusted stand in between."""

from collections.abc import Hashable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.server.asgi import Scope

TRUSTED_PROXIES = "SENSOS_AUTH_TRUSTED_PROXIES"
_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network
# Hops of an X-Forwarded-For that are looked at; proxies that are trusted write a few.
_MOST_HOPS = 32
_HOST_BITS = 64
_MAPPED_BITS = 96  # of an IPv6 address that stands for an IPv4 one (RFC 4291 section 2.5.5.2), before that one


def trusted_proxies(written: str) -> tuple[_Network, ...]:
    """Return the networks in the list, such as ``10.0.0.0/8, 2001:db8::/32, 192.0.2.7``; raises ConfigurationError."""
    try:
        return tuple(_unmapped(ip_network(each.strip())) for each in written.split(",") if each.strip())
    except ValueError:
        raise ConfigurationError(
            f"{TRUSTED_PROXIES} must be networks or addresses with commas between: 10.0.0.0/8, 2001:db8::/32"
        ) from None


class ClientAddress:
    """Finds a request's client. ``trusted`` are the proxies whose ``X-Forwarded-For`` is believed."""

    def __init__(self, trusted: Iterable[_Network]) -> None:
        self._trusted = tuple(trusted)

    def of(self, scope: Scope) -> _Address | None:
        """Return who is behind the trusted proxies: the last entry of ``X-Forwarded-For`` that none of them is.

        None where that is not known. What the client wrote itself stands to the left of that, and is not believed.
        """
        client: Any = scope.get("client")
        address = None if client is None else _parsed(client[0])
        if not self._trusted or address is None or not self._is_trusted(address):
            return address
        for entry in _forwarded_for(scope):
            hop = _parsed(entry)
            if hop is None:  # a trusted proxy that doesn't know or tell
                return address
            address = hop
            if not self._is_trusted(address):
                return address
        return address

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def whose(address: _Address) -> Hashable:
    """Return what addresses of one subscriber have in common: all of an IPv4 address, the /64 of an IPv6 one.

    Anybody has 2**64 addresses of IPv6 (RFC 6177).
    """
    return (6, int(address) >> _HOST_BITS) if isinstance(address, IPv6Address) else (4, int(address))


def _unmapped(network: _Network) -> _Network:
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def _forwarded_for(scope: Scope) -> Iterable[str]:
    """Yield the entries from the right."""
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    entries = b",".join(lines).decode("latin-1").rsplit(",", _MOST_HOPS)
    return reversed(entries[-_MOST_HOPS:] if lines else [])


def _parsed(entry: str) -> _Address | None:
    """Return the address, which some proxies write with a port; None for anything else."""
    host = entry.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
