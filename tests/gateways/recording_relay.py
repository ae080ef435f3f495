"""Stands between a gateway and the service, byte for byte: shows what the service was sent, and can go away."""

import contextlib
import socket
import threading

_PATIENCE = 0.05  # seconds between two looks at whether it is to end


class RecordingRelay:
    """Relays connections to ``port`` on 127.0.0.1 on to ``service_port``, while it is up."""

    def __init__(self, port: int, service_port: int) -> None:
        self.port = port
        self.sent_to_service = b""
        self.connections = 0
        self._service_port = service_port
        self._is_up = threading.Event()
        self._thread: threading.Thread | None = None
        self._open: list[socket.socket] = []
        self.start()

    def start(self) -> None:
        """Listen."""
        listener = socket.create_server(("127.0.0.1", self.port))
        listener.settimeout(_PATIENCE)
        self._is_up.set()
        self._thread = threading.Thread(target=self._accept, args=(listener,))
        self._thread.start()

    def stop(self) -> None:
        """Refuse new connections, and cut those that are open."""
        self._is_up.clear()
        assert self._thread is not None
        self._thread.join()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while self._is_up.is_set():
                with contextlib.suppress(TimeoutError):
                    gateway, _ = listener.accept()
                    gateway.settimeout(None)
                    service = socket.create_connection(("127.0.0.1", self._service_port))
                    self.connections += 1
                    self._open += [gateway, service]
                    for source, target, is_kept in ((gateway, service, True), (service, gateway, False)):
                        threading.Thread(target=self._relay, args=(source, target, is_kept), daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket, is_kept: bool) -> None:  # noqa: FBT001 - private
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if is_kept:
                    self.sent_to_service += data
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
