"""A small ready-made client of the API: address, token, repetition, pages and errors are taken care of."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Self, Unpack

import httpx2

from sensos_auth import __version__
from sensos_auth.client.api_answers import Outcome, document_of, page_of
from sensos_auth.client.api_attempts import attempts
from sensos_auth.client.base_url import is_plain_path
from sensos_auth.client.errors import ApiUnavailable
from sensos_auth.client.httpx2 import TokenAuth
from sensos_auth.client.renewing import PATIENCE
from sensos_auth.client.sending import connection_options
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_source import AnySource, Options, TokenSource, source_of
from sensos_auth.model.errors import InvalidInput

TIMEOUT = 30.0  # seconds
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)  # RFC 3986 section 5.2.4

Parameters = Mapping[str, str | int | bool]


class _Calls:
    """What both kinds of client are made of."""

    def __init__(
        self,
        source: AnySource,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._source = source_of(source)
        self._patience = patience
        self._surroundings = surroundings or Surroundings()
        self._options: dict[str, Any] = {
            "auth": TokenAuth(source),
            "headers": {"accept": "application/json", "user-agent": f"sensos-auth-client/{__version__}"},
            "timeout": timeout,
            "follow_redirects": False,
            **connection_options(self._source.base_url, self._source.ca_file),
        }

    @classmethod
    def from_env(
        cls, environment: Mapping[str, str] | None = None, *, timeout: float = TIMEOUT, **options: Unpack[Options]
    ) -> Self:
        """Make it with :meth:`TokenSource.from_env`; a ``patience`` is that with the API as well."""
        return cls(
            TokenSource.from_env(environment, **options),
            timeout=timeout,
            patience=options.get("patience", PATIENCE),
            surroundings=options.get("surroundings"),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._source.base_url!r})"

    def _url(self, path: str) -> str:
        return self._source.base_url + checked_path(path)


class Client(_Calls):
    """Calls the API: ``with Client.from_env() as client: client.get("/v1/endpoint")``. Threads may share it.

    So may forked processes, each with connections of its own. Every method returns the JSON document of the answer, or
    None where there is none. Raises ApiError with the API's own words, ApiUnavailable, and what
    :meth:`TokenSource.token` does. ``timeout`` is in seconds, for each of connecting, sending and receiving. GET, PUT
    and DELETE are repeated after passing failures, at most five times and not after ``patience`` seconds; POST and
    PATCH never.
    """

    def __init__(
        self,
        source: AnySource,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        surroundings: Surroundings | None = None,
    ) -> None:
        super().__init__(source, timeout=timeout, patience=patience, surroundings=surroundings)
        self._http = httpx2.Client(**self._options)
        self._process = os.getpid()

    def request(self, method: str, path: str, *, params: Parameters | None = None, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Send a request to a path below the base URL, with a query and a JSON body if there are any."""
        url = self._url(path)
        steps = attempts(method.upper(), self._patience, self._surroundings)
        outcome: Outcome | None = None
        while True:
            try:
                pause = steps.send(outcome)
            except StopIteration as end:
                return document_of(end.value)
            if pause is None:
                outcome = self._send(method.upper(), url, params, json)
            else:
                outcome = None
                self._surroundings.sleep(pause)

    def get(self, path: str, **params: str | int | bool) -> Any:  # noqa: ANN401 - any JSON document
        """Read something; keyword arguments become the query."""
        return self.request("GET", path, params=params)

    def post(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Make something, or have something done."""
        return self.request("POST", path, json=json)

    def put(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Replace something."""
        return self.request("PUT", path, json=json)

    def patch(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Change something."""
        return self.request("PATCH", path, json=json)

    def delete(self, path: str) -> Any:  # noqa: ANN401 - any JSON document
        """Remove something."""
        return self.request("DELETE", path)

    def pages(self, path: str, entity: str, **params: str | int | bool) -> Iterator[Any]:
        """Yield every thing of a collection, page by page: ``client.pages("/v1/devices", "devices", limit=100)``."""
        seen: set[str] = set()
        while True:
            page = page_of(self.request("GET", path, params=params), entity)
            yield from page.things
            if page.next_cursor is None:
                return
            params = {**params, "cursor": _unseen(page.next_cursor, seen)}

    def close(self) -> None:
        """Close its connections. The token source goes on."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, method: str, url: str, params: Parameters | None, json: object) -> Outcome:
        if self._process != os.getpid():  # a fork: on its parent's connections it would read its parent's answers
            self._http, self._process = httpx2.Client(**self._options), os.getpid()
        try:
            return self._http.request(method, url, params=params or None, json=json)
        except httpx2.RequestError as error:
            return error


class AsyncClient(_Calls):
    """Calls the API as :class:`Client` does, without blocking the event loop that it belongs to."""

    def __init__(
        self,
        source: AnySource,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        surroundings: Surroundings | None = None,
    ) -> None:
        super().__init__(source, timeout=timeout, patience=patience, surroundings=surroundings)
        self._http = httpx2.AsyncClient(**self._options)

    async def request(self, method: str, path: str, *, params: Parameters | None = None, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Send a request to a path below the base URL, with a query and a JSON body if there are any."""
        url = self._url(path)
        steps = attempts(method.upper(), self._patience, self._surroundings)
        outcome: Outcome | None = None
        while True:
            try:
                pause = steps.send(outcome)
            except StopIteration as end:
                return document_of(end.value)
            if pause is None:
                outcome = await self._send(method.upper(), url, params, json)
            else:
                outcome = None
                await asyncio.sleep(pause)

    async def get(self, path: str, **params: str | int | bool) -> Any:  # noqa: ANN401 - any JSON document
        """Read something; keyword arguments become the query."""
        return await self.request("GET", path, params=params)

    async def post(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Make something, or have something done."""
        return await self.request("POST", path, json=json)

    async def put(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Replace something."""
        return await self.request("PUT", path, json=json)

    async def patch(self, path: str, json: object = None) -> Any:  # noqa: ANN401 - any JSON document
        """Change something."""
        return await self.request("PATCH", path, json=json)

    async def delete(self, path: str) -> Any:  # noqa: ANN401 - any JSON document
        """Remove something."""
        return await self.request("DELETE", path)

    async def pages(self, path: str, entity: str, **params: str | int | bool) -> AsyncIterator[Any]:
        """Yield every thing of a collection, page by page, as :meth:`Client.pages` does."""
        seen: set[str] = set()
        while True:
            page = page_of(await self.request("GET", path, params=params), entity)
            for thing in page.things:
                yield thing
            if page.next_cursor is None:
                return
            params = {**params, "cursor": _unseen(page.next_cursor, seen)}

    async def aclose(self) -> None:
        """Close its connections. The token source goes on."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(self, method: str, url: str, params: Parameters | None, json: object) -> Outcome:
        try:
            return await self._http.request(method, url, params=params or None, json=json)
        except httpx2.RequestError as error:
            return error


def checked_path(path: str) -> str:
    """Return the path, which follows the base URL and stays below it; raises InvalidInput."""
    if not is_plain_path(path) or _DOT_SEGMENT.search(path):
        raise InvalidInput("a path begins with /, is percent-encoded and has no . or .. in it; its query is in params")
    return path


def _unseen(cursor: str, seen: set[str]) -> str:
    if cursor in seen:
        raise ApiUnavailable("the API answered with the same page again")
    seen.add(cursor)
    return cursor
