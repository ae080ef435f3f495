"""Checks of the limits, and of the server through which workers share them."""

from collections.abc import Iterator, Mapping

from sensos_auth.cli.checks.finding import Finding, ok, warning, wrong
from sensos_auth.model.errors import ConfigurationError, SensosAuthError
from sensos_auth.server.client_address import TRUSTED_PROXIES
from sensos_auth.server.limits import ADDRESS_LIMIT, APPLICATION_LIMIT, limit_settings
from sensos_auth.server.limits_url import LIMITS_URL, LIMITS_URL_FILE, LimitsUrl

_SETTINGS = ((APPLICATION_LIMIT,), (ADDRESS_LIMIT,), (TRUSTED_PROXIES,), (LIMITS_URL, LIMITS_URL_FILE))
VARIABLES = tuple(name for names in _SETTINGS for name in names)


def check_limits(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the settings, and whether the server can be used: a full bucket is written there, for a second."""
    mistakes = []
    for names in _SETTINGS:  # alone, so that each mistake is found and not only the first
        try:
            limit_settings({name: environment[name] for name in names if name in environment})
        except ConfigurationError as error:
            mistakes.append(wrong("limits", error))
    if mistakes:
        yield from mistakes
        return
    limits = limit_settings(environment)
    both = f"refusals to an address {limits.address or 'off'}, tokens to an application {limits.application or 'off'}"
    if limits.server is None:
        yield ok("limits", f"for each worker: {both}")
        return
    reason = _why_not_shared(limits.server)
    if reason is None:
        yield ok("limits", f"for all workers together, through {limits.server.place}: {both}")
    else:
        yield warning(
            "limits",
            f"each worker counts by itself, because the server at {limits.server.place} is of no use: {reason}; "
            f"mend it, or unset {LIMITS_URL if LIMITS_URL in environment else LIMITS_URL_FILE}",
        )


def _why_not_shared(server: LimitsUrl) -> str | None:
    from sensos_auth.server.limits_server import LimitsServer  # noqa: PLC0415 - needs redis, which is extra

    try:
        LimitsServer(server, issuer="").close()
    except SensosAuthError as error:
        return str(error)
    return None
