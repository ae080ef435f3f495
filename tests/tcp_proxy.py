"""A TCP proxy on a loopback port whose connections can be cut, refused, or swallowed in silence."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class TcpProxy:
    """Passes bytes on between its clients and ``target_port``, or a Unix socket at that path.

    While ``swallows`` is set, bytes are read and thrown away and nobody is told: a half-open connection, as a firewall
    leaves it that has lost its table. While ``refuses`` is set, new connections are closed at once.
    """

    def __init__(self, listener: socket.socket, target_port: int | str) -> None:
        self.port: int = listener.getsockname()[1]
        self.target_port = target_port
        self.swallows = False
        self.refuses = False
        self.accepted = 0  # connections, also those that were refused
        self._listener = listener
        self._open: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()

    def cut(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def lose_open(self) -> None:
        """Swallow from now on what is sent over the connections that are open, whatever becomes of new ones."""
        self._lost |= self._open

    def serve(self) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.refuses:
            client.close()
            return
        if self.swallows:
            self._open.add(client)
            self._pump(client, None)
            return
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self._open |= {client, server}
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server)

    def _connect(self) -> socket.socket:
        if isinstance(self.target_port, int):
            return socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.target_port)
        return server

    def _pump(self, source: socket.socket, sink: socket.socket | None) -> None:
        try:
            while data := source.recv(65536):
                if not self.swallows and source not in self._lost and sink is not None:
                    sink.sendall(data)
        except OSError:
            pass
        for connection in (source, sink):
            if connection is not None:
                self._open.discard(connection)
                self._lost.discard(connection)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()


@contextmanager
def tcp_proxy(target_port: int | str) -> Iterator[TcpProxy]:
    """Run a proxy until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = TcpProxy(listener, target_port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        proxy.cut()
        thread.join(5)
