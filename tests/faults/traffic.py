"""Token traffic over plain sockets: every request with the time it was sent and what became of it."""

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.running_service import TOKEN_PATH, ExampleApplication

PATIENCE = 20.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Asked(NamedTuple):
    """A request: when it was sent (monotonic seconds), for which secret, and its status; 0 when there was no answer."""

    sent_at: float
    secret_id: str
    status: int
    body: bytes
    seconds: float
    trouble: str

    @property
    def kid(self) -> str:
        """Return the key ID of the token in the answer."""
        header = json.loads(self.body)["accessToken"].split(".")[0]
        kid: str = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
        return kid


def token_request(application: ExampleApplication) -> bytes:
    """Return the bytes of its token request."""
    body = json.dumps(application.credentials()).encode()
    head = f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def connect(port: int) -> socket.socket:
    """Return a connection to the service."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Ended(Exception):
    """The other side closed the connection before its answer was whole."""


def read_answer(connection: socket.socket) -> tuple[int, bytes, bool]:
    """Return status, body, and whether the connection stays open; raises Ended, OSError."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + b"\r\n")
    while length and len(body) < int(length[1]):
        body += _received(connection)
    return int(head.split(b" ", 2)[1]), body, b"connection: close" not in head.lower()


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise Ended
    return data


class Client:
    """One client, with a kept connection or a fresh one for each request."""

    def __init__(self, port: int, *, keeps_alive: bool = True) -> None:
        self._port = port
        self._keeps_alive = keeps_alive
        self._connection: socket.socket | None = None

    def ask(self, application: ExampleApplication) -> Asked | None:
        """Return what became of one token request, or None where nobody listens."""
        connection = self._connection
        if connection is None:
            try:
                connection = self._connection = connect(self._port)
            except OSError:
                return None
        sent_at = time.monotonic()
        status, body, stays, trouble = 0, b"", False, ""
        try:
            connection.sendall(token_request(application))
            status, body, stays = read_answer(connection)
        except (OSError, Ended) as error:
            trouble = type(error).__name__
        if not (stays and self._keeps_alive):
            self.close()
        return Asked(sent_at, application.secret_id, status, body, time.monotonic() - sent_at, trouble)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass
class Traffic:
    """What the clients of :func:`token_traffic` met so far, in the order of the answers."""

    asked: list[Asked] = field(default_factory=list)
    times_refused_to_connect: int = 0

    def issued(self) -> int:
        """Return how many tokens were issued."""
        return sum(asked.status == 200 for asked in self.asked)

    def unanswered(self) -> list[Asked]:
        """Return the requests that got no whole answer."""
        return [asked for asked in self.asked if asked.status == 0]

    def wait_until(self, is_enough: Callable[[list[Asked]], bool], seconds: float = PATIENCE) -> None:
        """Return once enough has been asked."""
        give_up_at = time.monotonic() + seconds
        while not is_enough(self.asked):
            assert time.monotonic() < give_up_at, "the traffic has come to a halt"
            time.sleep(0.001)


@contextmanager
def token_traffic(
    port: int, applications: Sequence[ExampleApplication], *, kept: int = 4, fresh: int = 0
) -> Iterator[Traffic]:
    """Ask for tokens of the applications in turn, from ``kept`` clients that keep their connection and ``fresh`` ones.

    A sequence that changes meanwhile changes the traffic.
    """
    traffic = Traffic()
    is_over = threading.Event()

    def run(number: int, *, keeps_alive: bool) -> None:
        client = Client(port, keeps_alive=keeps_alive)
        turn = number
        while not is_over.is_set():
            with suppress(IndexError):
                asked = client.ask(applications[turn % len(applications)])
                if asked is None:
                    traffic.times_refused_to_connect += 1
                    time.sleep(0.01)
                else:
                    traffic.asked.append(asked)
            turn += 1
        client.close()

    threads = [
        threading.Thread(target=run, args=(number,), kwargs={"keeps_alive": number < kept})
        for number in range(kept + fresh)
    ]
    for thread in threads:
        thread.start()
    try:
        yield traffic
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
