"""One request and its answer over a socket, whatever comes back."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sensos_auth.probing.endpoint import parse_endpoint
from sensos_auth.probing.exchange import LARGEST_BODY, Answer, Silence, sender


@contextmanager
def server(*pieces: bytes, pause: float = 0.0) -> Iterator[int]:
    """Answer one connection with these bytes and close it; returns the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                for piece in pieces:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return
                    time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5.0)


def ask(port: int, *, method: str = "GET", scheme: str = "http", timeout: float = 1.0) -> Answer | Silence:
    """Send a request."""
    endpoint = parse_endpoint(f"{scheme}://127.0.0.1:{port}/")
    return sender(endpoint, timeout=timeout)(endpoint.request(method=method))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\nA: c\r\n\r\nhi", (200, (("a", "b"), ("a", "c")), b"hi")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", (200, (), b"hi")),
        (b"HTTP/1.0 200 OK\r\n\r\nhi", (200, (), b"hi")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, (), b"")),
        (b"HTTP/1.1 401\r\nContent-Length: 9\r\n\r\ncut", (401, (), b"cut")),
    ],
)
def test_answers(sent: bytes, expected: tuple[int, tuple[tuple[str, str], ...], bytes]) -> None:
    """With a length, in chunks, until the end, without a body, cut off."""
    with server(sent) as port:
        answer = ask(port)
    assert isinstance(answer, Answer)
    framing = {"content-length", "transfer-encoding"}
    headers = tuple(header for header in answer.headers if header[0] not in framing)
    assert (answer.status, headers, answer.body) == expected


def test_head_has_no_body() -> None:
    """Whatever its Content-Length says."""
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") as port:
        assert ask(port, method="HEAD") == Answer(200, (("content-length", "100"),), b"")


def test_large_bodies_are_cut_off() -> None:
    """At 256 KiB."""
    with server(b"HTTP/1.0 200 OK\r\n\r\n", b"a" * LARGEST_BODY, b"a" * LARGEST_BODY) as port:
        answer = ask(port)
    assert isinstance(answer, Answer)
    assert len(answer.body) == LARGEST_BODY


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", Silence.CLOSED),
        (b"220 mail.example.com ESMTP\r\n", Silence.NOT_HTTP),
        (b"\x15\x03\x01\n", Silence.NOT_HTTP),
    ],
)
def test_no_answer(sent: bytes, expected: Silence) -> None:
    """Is told in words."""
    with server(sent) as port:
        assert ask(port) is expected


def test_a_slow_drip_ends_in_time() -> None:
    """The time is for the whole answer, however many bytes come in between."""
    started = time.monotonic()
    with server(*([b"H"] * 40), pause=0.05) as port:
        assert ask(port, timeout=0.3) is Silence.LATE
        assert time.monotonic() - started < 1.0


def test_tls_is_asked_for() -> None:
    """An https URL is never answered over plain http."""
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as port:
        assert ask(port, scheme="https") is Silence.UNREACHABLE


def certificate(folder: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1, signed by itself, into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )
    return file


def test_tls_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody vouches for gets no request; SSL_CERT_FILE vouches for it."""
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    received: list[bytes] = []

    def serve() -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secured:
                received.append(secured.recv(65_536))
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        assert ask(port, scheme="https") is Silence.UNTRUSTED
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert ask(port, scheme="https") == Answer(200, (("content-length", "2"),), b"hi")
        thread.join(5.0)
    assert len(received) == 1
