"""Proof that a server does the work: it answers twice with a fresh, signed token that a stranger can check."""

import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

import jwt

from benchmarks.token_endpoint.contestants import Server

_HEAD_OVERHEAD = len("HTTP/1.1 200 OK\r\n\r\n")


@dataclass(frozen=True)
class Answer:
    """An answer with status 200. ``size`` is its length on the wire in bytes, within a few."""

    headers: list[tuple[str, str]]
    body: str

    @property
    def size(self) -> int:
        """Return the length on the wire, within a few bytes."""
        return _HEAD_OVERHEAD + sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.body)


def prove(server: Server) -> tuple[Answer, str]:
    """Return an answer and what was proven of it; raises SystemExit when the server does not do what it should."""
    one, other = ask(server), ask(server)
    contestant = server.contestant
    if contestant.name == "bare":
        return one, "the same bytes every time, nothing is made"
    tokens = [json.loads(answer.body)[contestant.member] for answer in (one, other)]
    if tokens[0] == tokens[1]:
        raise SystemExit(f"{contestant.title} gave one token twice: nothing to measure")
    if not contestant.jwks_path:
        return one, "fresh random tokens, kept as rows, not signed"
    keys = jwt.PyJWKSet.from_dict(_fetch(server, contestant.jwks_path))
    identifiers = {_checked(token, keys, contestant.title)["jti"] for token in tokens}
    if len(identifiers) != 2:
        raise SystemExit(f"{contestant.title} repeats token IDs")
    return one, "fresh ES256 JWTs, checked against its JWKS"


def _checked(token: str, keys: jwt.PyJWKSet, title: str) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    key = keys[header["kid"]] if "kid" in header else keys.keys[0]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256"], options={"verify_aud": False})
    if header["typ"] != "at+jwt" or abs(claims["iat"] - time.time()) > 5:
        raise SystemExit(f"{title} answers with an old token or another kind of token")
    return claims


def ask(server: Server) -> Answer:
    """Send one valid request; raises SystemExit when it is not answered with 200."""
    contestant = server.contestant
    connection = http.client.HTTPConnection("127.0.0.1", server.running.port, timeout=10)
    try:
        connection.request(
            "POST", contestant.path, contestant.first_request(), {"Content-Type": contestant.content_type}
        )
        answer = connection.getresponse()
        body = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise SystemExit(f"{contestant.title} answered {answer.status}: {body}")
    return Answer(answer.getheaders(), body)


def _fetch(server: Server, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.running.port, timeout=10)
    try:
        connection.request("GET", path)
        document: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return document
