"""Limits on the token endpoint: tokens of an application, and refusals to an address. Neither locks anybody out.

Both are looked at after authentication. A token counts against its application only when the credentials were good, so
that nobody else can use its tokens up. A refusal counts against the address it goes to, and good credentials work from
that address all the while: whoever shares it with a broken or a hostile client notices nothing. Each worker counts by
itself, or together with the others through a server (:mod:`sensos_auth.server.limits_sharing`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sensos_auth.model.errors import AuthenticationFailed
from sensos_auth.server.answers import Answer, Refusal, error_answer
from sensos_auth.server.asgi import Scope
from sensos_auth.server.client_address import TRUSTED_PROXIES, ClientAddress, trusted_proxies, whose
from sensos_auth.server.limits_url import LimitsUrl, limits_url
from sensos_auth.server.token_buckets import Limit, TokenBuckets, limit_of

APPLICATION_LIMIT, ADDRESS_LIMIT = "SENSOS_AUTH_APPLICATION_LIMIT", "SENSOS_AUTH_ADDRESS_LIMIT"
DEFAULT_ADDRESS_LIMIT = "10/s burst 100"
_TOO_MANY_TOKENS = "This application got more tokens than it may: keep the one that you have, and wait"
_TOO_MANY_REFUSALS = "Too many requests with wrong credentials from this address: wait, and mend them"


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """The two limits, None where there is none; who tells the clients' addresses; and who shares them, or None."""

    application: Limit | None
    address: Limit | None
    clients: ClientAddress
    server: LimitsUrl | None = None


def limit_settings(environment: Mapping[str, str]) -> LimitSettings:
    """Return ``SENSOS_AUTH_APPLICATION_LIMIT``, ``…_ADDRESS_LIMIT``, ``…_TRUSTED_PROXIES`` and ``…_LIMITS_URL``.

    The last may be in a file (``…_LIMITS_URL_FILE``). Raises ConfigurationError.
    """
    return LimitSettings(
        limit_of(APPLICATION_LIMIT, environment.get(APPLICATION_LIMIT, "off")),
        limit_of(ADDRESS_LIMIT, environment.get(ADDRESS_LIMIT, DEFAULT_ADDRESS_LIMIT)),
        ClientAddress(trusted_proxies(environment.get(TRUSTED_PROXIES, ""))),
        limits_url(environment),
    )


class ApplicationLimit:
    """How many tokens an application gets."""

    def __init__(self, limit: Limit) -> None:
        self.buckets = TokenBuckets(limit)

    def take(self, application_id: str) -> None:
        """Count a token of the application; raises Refusal (429) when it had too many."""
        wait = self.buckets.take(application_id)
        if wait:
            raise Refusal(too_many("application", self.buckets.limit, wait, _TOO_MANY_TOKENS))


class RefusalLimit:
    """How many refusals go to an address. Loopback has no limit: a proxy there stands for everybody."""

    def __init__(self, settings: LimitSettings) -> None:
        self._clients = settings.clients
        self.buckets = None if settings.address is None else TokenBuckets(settings.address)

    def refuse(self, scope: Scope) -> Exception:
        """Return what to raise where authentication failed, for whatever cause: that, or 429 to an address's many."""
        if self.buckets is None:
            return AuthenticationFailed()
        address = self._clients.of(scope)
        if address is None or address.is_loopback:
            return AuthenticationFailed()
        wait = self.buckets.take(whose(address))
        if not wait:
            return AuthenticationFailed()
        return Refusal(too_many("address", self.buckets.limit, wait, _TOO_MANY_REFUSALS))


def too_many(name: str, limit: Limit, wait: int, message: str) -> Answer:
    """Return 429 (RFC 6585 section 4): what the limit is, and that it allows the next request in ``wait`` seconds.

    The fields are those of draft-ietf-httpapi-ratelimit-headers-11: ``q`` requests at once, which are all there again
    after ``w`` seconds; ``r`` are left, the next one comes after ``t`` seconds.
    """
    return error_answer(
        429,
        message,
        (b"retry-after", b"%d" % wait),
        (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name.encode(), limit.burst, limit.refill_seconds)),
        (b"ratelimit", b'"%b";r=0;t=%d' % (name.encode(), wait)),
    )
