"""A real HTTP server on a loopback port that serves a revocation feed, or whatever a test has it answer instead."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import msgspec

from sensos_auth.issuing.key_pair import load_signature_function
from sensos_auth.issuing.minting import base64url
from sensos_auth.model.revocation import RevocationKind, subject_digest
from sensos_auth.model.revocation_page import FEED_KEYS_PATH, FEED_PATH, FEED_TYPE, RevocationPage
from tests.verifying.issued import IssuingKey, as_bytes, jwks_of

JWKS_PATH = "/.well-known/jwks.json"
FEED_KEY = IssuingKey("EdDSA")


@dataclass(frozen=True)
class Poll:
    """What was asked: the parameters, the headers in lower case, and when (monotonic seconds)."""

    parameters: dict[str, str]
    headers: dict[str, str]
    at: float

    @property
    def since(self) -> int:
        """The version that the verifier holds."""
        return int(self.parameters["since"])


@dataclass
class FeedServer:
    """What has been revoked, and what was asked. ``answer``, if set, answers polls in place of the feed."""

    url: str = ""
    version: int = 1
    entries: list[tuple[int, RevocationKind, bytes, int]] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    token_answer: tuple[int, bytes] = (200, b'{"accessToken":"own-token","expiresIn":36000}')
    answer: Callable[[BaseHTTPRequestHandler, Poll], object] | None = None
    jwks: str = '{"keys": []}'
    keys: str = field(default_factory=lambda: jwks_of(FEED_KEY))
    page_limit: int = 10_000
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    def revoke(self, kind: RevocationKind, identifier: str, *, ends_in: int = 3600) -> int:
        """Revoke something, and return the new version."""
        with self.changed:
            self.version += 1
            self.entries.append((self.version, kind, subject_digest(kind, identifier), int(time.time()) + ends_in))
            self.changed.notify_all()
        return self.version

    def wake(self) -> None:
        """Have the polls that wait look again."""
        with self.changed:
            self.changed.notify_all()

    def page(self, since: int, **changes: object) -> RevocationPage:
        """Return the page that follows ``since``, with some members changed."""
        with self.changed:
            newer = [entry for entry in self.entries if entry[0] > since]
            shown = newer[: self.page_limit]
            more = len(newer) > len(shown)
            version = shown[-1][0] if more else self.version

        def of(wanted: RevocationKind) -> list[tuple[bytes, int, int]]:
            return [(digest, before, end) for before, kind, digest, end in shown if kind is wanted]

        members = {
            "issuer": self.url,
            "since": since,
            "version": version,
            "as_of": int(time.time()),
            "more": more,
            "tokens": [(end, digest) for digest, _, end in of(RevocationKind.TOKEN)],
            "credentials": of(RevocationKind.CREDENTIAL),
            "applications": of(RevocationKind.APPLICATION),
            "tenants": of(RevocationKind.TENANT),
            "signing_keys": [(digest, end) for digest, _, end in of(RevocationKind.SIGNING_KEY)],
        }
        return RevocationPage(**(members | changes))  # type: ignore[arg-type]

    def wait_for_polls(self, number: int, seconds: float = 5.0) -> None:
        """Return as soon as so many polls have come in."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.polls) >= number, seconds), f"{len(self.polls)} polls"


def signed(body: bytes, key: IssuingKey = FEED_KEY, **header: object) -> str:
    """Return the header Sensos-Signature for the body, with members of the protected header changed."""
    members = {"alg": key.algorithm, "typ": FEED_TYPE, "kid": key.pair.kid} | header
    protected = base64url(as_bytes({name: value for name, value in members.items() if value is not ...}))
    message = protected + b"." + urlsafe_b64encode(body).rstrip(b"=")
    signature = load_signature_function(key.algorithm, key.pair.private_key)(message)
    return (protected + b".." + base64url(signature)).decode()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer with this body and these headers."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def send_page(handler: BaseHTTPRequestHandler, page: RevocationPage, **header: object) -> None:
    """Answer with the page, signed with the feed's key."""
    body = msgspec.json.encode(page)
    send(handler, body, Sensos_Signature=signed(body, **header))  # type: ignore[arg-type]


@contextmanager
def serving_feed(port: int = 0) -> Iterator[FeedServer]:
    """Serve a feed until the end of the block; polls that wait then are cut."""
    feed = FeedServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            try:
                if url.path == FEED_PATH:
                    self._poll(dict(parse_qsl(url.query, keep_blank_values=True)))
                else:
                    document = {FEED_KEYS_PATH: feed.keys, JWKS_PATH: feed.jwks}.get(url.path)
                    send(self, (document or "").encode(), 404 if document is None else 200)
            except OSError:
                self.close_connection = True  # the client went away, as it may

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            feed.token_requests.append(json.loads(body))
            status, answer = feed.token_answer
            send(self, answer, status)

        def _poll(self, parameters: dict[str, str]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            poll = Poll(parameters, headers, time.monotonic())
            with feed.changed:
                feed.polls.append(poll)
                feed.changed.notify_all()
            if feed.answer is not None:
                feed.answer(self, poll)
                return
            with feed.changed:
                feed.changed.wait_for(lambda: feed.version > poll.since or feed.ended, float(parameters["wait"]))
            if feed.ended:
                self.close_connection = True
                return
            send_page(self, feed.page(poll.since))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that breaks off is no error here
    feed.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield feed
    finally:
        with feed.changed:
            feed.ended = True
            feed.changed.notify_all()
        server.shutdown()
        thread.join()
        server.server_close()
