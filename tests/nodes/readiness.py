"""Which node is ready, all the time; as a load balancer asks, and leads the verifiers that may go to any node."""

import threading
from collections.abc import Sequence

from tests.nodes.history import FaultRecord, now
from tests.nodes.node import Node
from tests.nodes.switchable_proxy import SwitchableProxy

_ASKS_EVERY = 0.2  # seconds


class ReadinessWatch:
    """A thread for each node. ``unready`` are the spans in which one was not ready, once they are over."""

    def __init__(self, nodes: Sequence[Node], balanced: SwitchableProxy) -> None:
        self.unready: list[FaultRecord] = []
        self._nodes = nodes
        self._balanced = balanced
        self._target = nodes[0]
        self._is_ready = dict.fromkeys([node.name for node in nodes], True)
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(node,), daemon=True) for node in nodes]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(10)

    def _watch(self, node: Node) -> None:
        ready_at = now()
        while not self._is_over.wait(_ASKS_EVERY):
            was_ready, is_ready = self._is_ready[node.name], node.is_ready()
            self._is_ready[node.name] = is_ready
            if not is_ready:
                self._lead_away_from(node)
                continue
            if not was_ready:
                self.unready.append(FaultRecord("not ready", node.name, ready_at, now()))
            ready_at = now()

    def _lead_away_from(self, node: Node) -> None:
        others = [other for other in self._nodes if self._is_ready[other.name]]
        if node is self._target and others:
            self._target = others[0]
            self._balanced.switch_to(self._target.port)
