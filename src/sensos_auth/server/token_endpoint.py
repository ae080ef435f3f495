"""``POST /v1/applications/token``, without a framework, because it is the hot path."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from sensos_auth.issuing.issuer import ApplicationCredentials, IssuedToken, Issuer
from sensos_auth.issuing.keyring import KeysNotReadYet
from sensos_auth.model.application_secret import digest, has_valid_checksum
from sensos_auth.model.errors import AuthenticationFailed, RegistryUnavailable
from sensos_auth.registry.credentials import NotHeld
from sensos_auth.server.answers import NO_STORE, Answer, json_answer, method_not_allowed
from sensos_auth.server.asgi import Receive, Scope
from sensos_auth.server.request_body import read_json_body
from sensos_auth.server.token_request import parse_token_request

PATH = "/v1/applications/token"
LARGEST_BODY = 8 * 1024
# The second is for what was changed in the moment in which it was fetched, or a process that was stopped.
_MOST_FETCHES = 2
# Seconds between two looks whether the signing keys have been read, which takes a node some milliseconds, and how often
# it is looked: for less than a lease, after which the credential would have to be fetched again.
_LOOKS_EVERY = 0.005
_MOST_LOOKS = 30

_METHOD_NOT_ALLOWED = method_not_allowed("POST")
_encode = msgspec.json.Encoder().encode

# Called when credentials are refused, with the request and the application ID that it names; returns what to raise.
Refuse = Callable[[Scope, str], Exception]


class TokenEndpoint:
    """Exchanges an application's credentials for an access token.

    ``fetch`` gets a credential that the issuer does not hold, by the digest of the secret; it raises
    RegistryUnavailable. It is None where the issuer always reads.
    """

    def __init__(self, issuer: Issuer, fetch: Callable[[bytes], Awaitable[None]] | None, refuse: Refuse) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """Answer one request; raises Refusal, InvalidInput, AuthenticationFailed and RegistryUnavailable."""
        if scope["method"] != "POST":
            return _METHOD_NOT_ALLOWED
        body = await read_json_body(scope, receive, LARGEST_BODY)
        shown = parse_token_request(body)
        try:
            issued = self._issuer.issue(shown)
        except (AuthenticationFailed, NotHeld, KeysNotReadYet) as error:
            issued = await self._issue_at_second_look(scope, shown, error)
        return json_answer(_encode(issued), NO_STORE)

    async def _issue_at_second_look(self, scope: Scope, shown: ApplicationCredentials, error: Exception) -> IssuedToken:
        # Nobody is refused by what is held. It may have been enabled since; and the time would tell which secrets are
        # held, and so which ones somebody uses.
        if self._fetch is not None and has_valid_checksum(shown.application_secret):
            try:
                return await self._issue_what_is_fetched(shown)
            except AuthenticationFailed:
                pass
        elif not isinstance(error, AuthenticationFailed):
            raise error
        raise self._refuse(scope, shown.application_id) from None

    async def _issue_what_is_fetched(self, shown: ApplicationCredentials) -> IssuedToken:
        assert self._fetch is not None
        for _ in range(_MOST_FETCHES):
            await self._fetch(digest(shown.application_secret))
            with suppress(NotHeld):
                return await self._issue_once_keys_are_read(shown)
        raise RegistryUnavailable("the registry answers too slowly, or the application is changed all the time")

    async def _issue_once_keys_are_read(self, shown: ApplicationCredentials) -> IssuedToken:
        """Issue the token as soon as the signing keys are those of the state that the credential was read in."""
        for _ in range(_MOST_LOOKS):
            with suppress(KeysNotReadYet):
                return self._issuer.issue(shown)
            await asyncio.sleep(_LOOKS_EVERY)
        return self._issuer.issue(shown)
