"""``GET /v1/revocations``: what is void, for verifiers; and ``GET /v1/revocations/keys``: whose signature it bears."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress

from sensos_auth.issuing.feed_signer import FeedSigner
from sensos_auth.model.revocation_page import SIGNATURE_HEADER
from sensos_auth.registry.verifiers import VerifierReport
from sensos_auth.server.answers import Answer, Refusal, json_answer, method_not_allowed
from sensos_auth.server.asgi import Header, Receive, Scope
from sensos_auth.server.conditional import holds
from sensos_auth.server.revocation_feed import RevocationFeed, SignedPage
from sensos_auth.server.revocation_poll import RevocationPoll, parse_revocation_poll
from sensos_auth.server.verifier_reports import VerifierReports
from sensos_auth.verifying import Caller, MissingToken, Verifier, authenticate, refusal_for

# The scope of the tokens that verifiers poll with.
SCOPE = "auth:verifier"

# Milliseconds after its answer for which a verifier is still counted on; and after it hung up.
_BETWEEN_POLLS = 10_000
_AFTER_HANGING_UP = 5_000

_CACHE: Header = (b"cache-control", b"no-cache")
_KEYS_CACHE: Header = (b"cache-control", b"public, max-age=300")
_METHOD_NOT_ALLOWED = method_not_allowed("GET", "HEAD")
_NOBODY_IS_LEFT = Answer(499, [], b"")  # for the log only: the client hung up


class RevocationsEndpoint:
    """Answers polls of the feed. ``clock`` returns UTC milliseconds."""

    def __init__(
        self, feed: RevocationFeed, verifier: Verifier, reports: VerifierReports, clock: Callable[[], int]
    ) -> None:
        self._feed = feed
        self._verifier = verifier
        self._reports = reports
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:
        """Answer one request; raises InvalidInput for a bad query, Refusal, and RegistryUnavailable."""
        if scope["method"] not in {"GET", "HEAD"}:
            return _METHOD_NOT_ALLOWED
        poll = parse_revocation_poll(scope["query_string"])
        caller = self._caller(scope)
        if scope["method"] == "HEAD":
            return _answer(scope, await self._feed.poll(poll.since, 0, has_token=caller is not None))
        report = self._report(poll, caller)
        if poll.wait == 0:
            return _answer(scope, await self._feed.poll(poll.since, 0, has_token=caller is not None))
        asking = asyncio.ensure_future(self._feed.poll(poll.since, poll.wait, has_token=caller is not None))
        leaving = asyncio.ensure_future(_end_of(receive))
        try:
            await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return _answer(scope, asking.result())
            if report is not None:
                self._reports.went_away(report, self._clock() + _AFTER_HANGING_UP)
            return _NOBODY_IS_LEFT
        finally:
            asking.cancel()
            leaving.cancel()

    def _caller(self, scope: Scope) -> Caller | None:
        """Return whose token the request shows, None where it shows none; raises Refusal for a bad one."""
        try:
            return authenticate(
                self._verifier, [value for name, value in scope["headers"] if name == b"authorization"], scope=SCOPE
            )
        except MissingToken:
            return None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            refusal = refusal_for(error)
            raise Refusal(Answer(refusal.status, refusal.raw_headers(), refusal.body)) from None

    def _report(self, poll: RevocationPoll, caller: Caller | None) -> VerifierReport | None:
        """Write down what the verifier says of itself, if it shows a token and its name."""
        if caller is None or not poll.verifier:
            return None
        now = self._clock()
        report = VerifierReport(
            application_id=caller.application_id,
            name=poll.verifier,
            tenant_id=caller.tenant_id,
            version=poll.since,
            kids=poll.kids,
            seen_at=now,
            live_until=now + int(poll.wait * 1000) + _BETWEEN_POLLS,
        )
        self._reports.write(report)
        return report


class FeedKeysEndpoint:
    """Lists the key that the feed is signed with (RFC 7517 section 5)."""

    def __init__(self, signer: FeedSigner) -> None:
        body = b'{"keys":[%s]}' % signer.public_jwk.encode()
        self._etag = b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
        self._answer = json_answer(body, _KEYS_CACHE, (b"etag", self._etag))

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - as all endpoints
        """Answer one request."""
        if scope["method"] not in {"GET", "HEAD"}:
            return _METHOD_NOT_ALLOWED
        if holds(scope, self._etag):
            return Answer(304, [_KEYS_CACHE, (b"etag", self._etag)], b"")
        return self._answer


def _answer(scope: Scope, page: SignedPage) -> Answer:
    tag = b'"%d"' % page.version
    etag = b"W/" + tag  # weak: the same revocations, read at another time (asOf)
    if holds(scope, tag):
        return Answer(304, [_CACHE, (b"etag", etag)], b"")
    return json_answer(page.body, _CACHE, (b"etag", etag), (SIGNATURE_HEADER.encode(), page.signature))


async def _end_of(receive: Receive) -> None:
    with suppress(Exception):  # a connection that broke has ended as well
        while (await receive())["type"] != "http.disconnect":
            pass
