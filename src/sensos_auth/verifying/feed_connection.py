"""HTTP as the feed's client speaks it: one connection that is kept, bounded in time and size, and no redirects."""

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx2

from sensos_auth import __version__
from sensos_auth.model.errors import SensosAuthError
from sensos_auth.model.loopback import may_use_proxy

if TYPE_CHECKING:
    from ssl import SSLContext

LARGEST_ANSWER = 4 * 1024 * 1024

_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "cache-control": "no-cache",
    "user-agent": f"sensos-auth-verifier/{__version__}",
}


class NoAnswer(SensosAuthError):
    """Nothing came back, or not all of it. The text holds nothing of what was sent or received."""


class Answer:
    """What came back: ``status``, the whole ``body``, and the headers."""

    def __init__(self, status: int, body: bytes, headers: httpx2.Headers) -> None:
        self.status = status
        self.body = body
        self.headers = headers


class FeedConnection:
    """A connection to the issuer, made anew after each failure and each 5xx. Belongs to one event loop."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None
        self._tls: SSLContext | None = None  # kept, because reading all certificate authorities takes long

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    async def get(self, url: str, deadline: float, token: str | None = None) -> Answer:
        """Return the answer, with an access token shown if there is one; raises NoAnswer after ``deadline`` seconds."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return await self._send("GET", url, deadline, headers, None)

    async def post(self, url: str, deadline: float, body: bytes) -> Answer:
        """Return the answer to a JSON body; raises NoAnswer after ``deadline`` seconds."""
        return await self._send("POST", url, deadline, {"content-type": "application/json"}, body)

    async def _send(
        self, method: str, url: str, deadline: float, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        try:
            client = self._client = self._client or self._new_client(url)
            async with (
                asyncio.timeout(deadline),
                client.stream(method, url, headers=headers, content=body) as response,
            ):
                answer = Answer(response.status_code, await _read(response), response.headers)
        except TimeoutError:
            await self._drop()
            raise NoAnswer(f"no whole answer within {deadline:g} s") from None
        except NoAnswer:
            await self._drop()
            raise
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            await self._drop()
            raise NoAnswer(type(error).__name__) from None
        if httpx2.codes.is_server_error(answer.status):
            await self._drop()  # a balancer of connections may lead the next one to a node that can answer
        return answer

    def _new_client(self, url: str) -> httpx2.AsyncClient:
        self._tls = self._tls or httpx2.create_ssl_context()
        return httpx2.AsyncClient(
            headers=_HEADERS,
            timeout=None,
            follow_redirects=False,
            verify=self._tls,
            trust_env=may_use_proxy(url),  # all URLs of a connection are its issuer's
        )

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


async def _read(response: httpx2.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise NoAnswer("an encoded answer")
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > LARGEST_ANSWER:
            raise NoAnswer(f"more than {LARGEST_ANSWER} bytes")
    return bytes(received)
