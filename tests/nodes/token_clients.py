"""Applications that ask every node for tokens, all the time, and most of all for what is being taken away."""

import base64
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.faults.traffic import Ended, connect, read_answer, token_request
from tests.nodes.history import Asked, History, now
from tests.nodes.node import Node
from tests.running_service import ExampleApplication

if TYPE_CHECKING:
    import socket

# Seconds between two requests of a client, and for which a client waits for an answer: a paused node's comes late.
_PAUSE = 0.006
_PATIENCE = 40.0
# Seconds for which an application is asked for more than others, after the call that changes it has returned.
_FOCUS = 0.6
# How often a request is for what is being changed, and how often otherwise for what is thought to be good.
_FOCUSED, _GOOD = 0.5, 0.9
_CLIENTS_OF_A_NODE = 2
_PROBES_AT_ONCE = 24

# Called with each request that got a token, and the token.
WhenIssued = Callable[[Asked, str], None]


class Connection:
    """One kept connection to a node, made anew when it is needed."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._socket: socket.socket | None = None

    def ask(self, application: ExampleApplication) -> tuple[Asked, str]:
        """Return what became of a token request, and the token."""
        begin = now()
        status, body, stays = 0, b"", False
        try:
            if self._socket is None:
                self._socket = connect(self.node.port)
                self._socket.settimeout(_PATIENCE)
            self._socket.sendall(token_request(application))
            status, body, stays = read_answer(self._socket)
        except (OSError, Ended):
            pass
        if not stays:
            self.close()
        asked = Asked(
            begin,
            now(),
            self.node.name,
            application.tenant_id,
            application.application_id,
            application.secret_id,
            status,
        )
        if status != 200:
            return asked, ""
        token: str = json.loads(body)["accessToken"]
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
        return asked._replace(token_id=claims["jti"], kid=header["kid"], version=claims["rv"]), token

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class TokenClients:
    """The threads of all clients. They ask with the secrets that are ``good``, and now and then with ``any_other``.

    Both lists may change meanwhile.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        history: History,
        when_issued: WhenIssued,
        *,
        good: list[ExampleApplication],
        any_other: list[ExampleApplication],
    ) -> None:
        self._nodes = nodes
        self._good = good
        self._any_other = any_other
        self._history = history
        self._when_issued = when_issued
        self._focus: deque[tuple[float, ExampleApplication]] = deque()
        self._is_over = threading.Event()
        self._probing = ThreadPoolExecutor(_PROBES_AT_ONCE, "probe")
        self._threads = [
            threading.Thread(target=self._run, args=(node, number), name=f"client of {node.name}", daemon=True)
            for node in nodes
            for number in range(_CLIENTS_OF_A_NODE)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End, once every answer is here or given up."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(_PATIENCE + 5)
        self._probing.shutdown(cancel_futures=True)

    def look_at(self, applications: Sequence[ExampleApplication], seconds: float = 30.0) -> None:
        """Ask for these more than for others, from now on and for a while."""
        until = now() + seconds
        self._focus.extend((until, application) for application in applications)

    def look_once_more(self, applications: Sequence[ExampleApplication]) -> None:
        """Ask every node for these at once, over a new connection, and a little longer than for others."""
        chosen = {application.secret_id for application in applications}
        until = now() + _FOCUS
        for index, (_, application) in enumerate(list(self._focus)):
            if application.secret_id in chosen and index < len(self._focus):
                self._focus[index] = (until, application)
        for application in applications:
            for node in self._nodes:
                # Where all are waiting for a paused node, more would say nothing more.
                if self._probing._work_queue.qsize() < _PROBES_AT_ONCE:
                    self._probing.submit(self._probe, node, application)

    def _probe(self, node: Node, application: ExampleApplication) -> None:
        connection = Connection(node)
        self._ask(connection, application)
        connection.close()

    def _run(self, node: Node, number: int) -> None:
        chance = random.Random(f"{node.name} {number}")  # noqa: S311 - a test's choices
        connection = Connection(node)
        while not self._is_over.is_set():
            application = self._choose(chance)
            if application is None:
                time.sleep(0.05)
                continue
            asked = self._ask(connection, application)
            # Whoever is refused a connection comes again a little later.
            time.sleep(_PAUSE if asked.status else 0.05)
        connection.close()

    def _choose(self, chance: random.Random) -> ExampleApplication | None:
        try:
            while self._focus and self._focus[0][0] < now():
                self._focus.popleft()
            if self._focus and chance.random() < _FOCUSED:
                return chance.choice(self._focus)[1]
            return chance.choice(self._good if chance.random() < _GOOD else self._any_other)
        except IndexError:  # another thread has just taken the last one
            return None

    def _ask(self, connection: Connection, application: ExampleApplication) -> Asked:
        asked, token = connection.ask(application)
        self._history.asked.append(asked)
        if token:
            self._when_issued(asked, token)
        return asked
