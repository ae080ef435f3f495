"""A gateway: it asks /v1/verify of one node about the tokens that are being taken away, as nginx does with requests."""

import json
import queue
import threading
from collections import Counter
from contextlib import suppress
from itertools import islice

import httpx2

from tests.nodes.history import Accepted, History, Policy, now
from tests.nodes.node import Node
from tests.nodes.verifying_process import Tokens

# Seconds between two rounds, tokens that are asked about in each, and for which an answer is waited for.
_PAUSE = 0.1
_IN_A_ROUND = 10
_PATIENCE = 5.0
# It follows no feed: what the node has heard decides, and the node goes on without its database for five minutes.
_POLICY = Policy(refuses=False, max_staleness=300.0)


class Gateway:
    """A thread, which is told of tokens as the verifiers are, and judged as they are."""

    def __init__(self, name: str, node: Node, history: History) -> None:
        self.name = name
        self.counts: dict[str, int] = Counter()
        self._history = history
        self._tokens = Tokens()
        self._told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._client = httpx2.Client(base_url=f"http://127.0.0.1:{node.port}", trust_env=False, timeout=_PATIENCE)
        history.policies[name] = _POLICY
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def tell(self, line: bytes) -> None:
        """Take a line, as :mod:`tests.nodes.verifying_process` does."""
        self._told.put(line)

    def end(self) -> None:
        """End."""
        self._is_over.set()
        self._thread.join(2 * _PATIENCE)
        self._client.close()

    def _run(self) -> None:
        while not self._is_over.wait(_PAUSE):
            with suppress(queue.Empty):
                while True:
                    self._tokens.take(json.loads(self._told.get_nowait()))
            for token_id, token in list(islice(reversed(self._tokens.watched.items()), _IN_A_ROUND)):
                self._ask(token_id, token)

    def _ask(self, token_id: str, token: str) -> None:
        at = now()
        try:
            status = self._client.get("/v1/verify", headers={"Authorization": f"Bearer {token}"}).status_code
        except httpx2.TransportError:
            status = 0
        self.counts[str(status or "no answer")] += 1
        if status == 200:
            self._history.accepted.append(Accepted(self.name, token_id, at, float("-inf"), float("inf")))
        elif status == 401:
            del self._tokens.watched[token_id]
