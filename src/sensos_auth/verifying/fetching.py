"""One fetch of a JWKS over HTTP: bounded in time and size, and to exactly the address that was configured."""

import asyncio
import re
from dataclasses import dataclass

import httpx2

from sensos_auth import __version__
from sensos_auth.model.errors import SensosAuthError
from sensos_auth.model.loopback import may_use_proxy
from sensos_auth.verifying.jwks import LARGEST_JWKS

DEADLINE = 3.0  # seconds for everything: name, connection, TLS, headers, body

_NOT_STORED = re.compile(r"(?:^|[,\s])no-(?:store|cache)(?![\w-])", re.IGNORECASE | re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,9}")
_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?([0-9]{1,9})(?![0-9])', re.IGNORECASE | re.ASCII)
_HEADERS = {
    "accept": "application/jwk-set+json, application/json",
    "accept-encoding": "identity",
    "user-agent": f"sensos-auth-verifier/{__version__}",
}


class FetchFailed(SensosAuthError):
    """The fetch brought no document. The text holds nothing of what was received."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The document, and for how many more seconds its ``Cache-Control`` calls it fresh; None if it says nothing."""

    document: bytes
    max_age: int | None


def fetch(url: str) -> Fetched:
    """Return what the URL answers; raises FetchFailed for all but a 200 of at most 256 KiB within 3 seconds.

    Redirects are not followed. Proxies and certificate authorities are taken from the environment, as usual, but
    plain http to this machine goes through no proxy. Blocks, so it belongs into a thread of its own: an event loop in
    it is what ends a slow drip in time.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_fetch(url))
    except TimeoutError:
        raise FetchFailed(f"no whole answer within {DEADLINE:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise FetchFailed(type(error).__name__) from None
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()  # unlike asyncio.run, it does not wait for a name server that is silent


async def _fetch(url: str) -> Fetched:
    async with (
        asyncio.timeout(DEADLINE),
        httpx2.AsyncClient(
            headers=_HEADERS, timeout=None, follow_redirects=False, trust_env=may_use_proxy(url)
        ) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != httpx2.codes.OK:
            raise FetchFailed(f"status {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise FetchFailed("an encoded answer")
        document = bytearray()
        async for chunk in response.aiter_raw():
            document += chunk
            if len(document) > LARGEST_JWKS:
                raise FetchFailed(f"more than {LARGEST_JWKS} bytes")
        return Fetched(bytes(document), _fresh_for(response.headers))


def _fresh_for(headers: httpx2.Headers) -> int | None:
    """Return ``max-age`` less the time that caches on the way held the answer (RFC 9111 section 4.2)."""
    cache_control = headers.get("cache-control", "")
    if _NOT_STORED.search(cache_control):
        return 0
    max_age = _MAX_AGE.search(cache_control)
    if max_age is None:
        return None
    age = headers.get("age", "")
    return max(0, int(max_age[1]) - (int(age) if _SECONDS.fullmatch(age) else 0))
