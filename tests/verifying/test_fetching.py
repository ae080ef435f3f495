import gzip
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sensos_auth.verifying.fetching import DEADLINE, FetchFailed, fetch
from sensos_auth.verifying.jwks import LARGEST_JWKS
from tests.verifying.jwks_server import Answer, document, serving


def _reason(answer: Answer) -> str:
    with serving(answer) as server, pytest.raises(FetchFailed) as failed:
        fetch(server.url)
    return str(failed.value)


@pytest.mark.parametrize(
    ("cache_control", "max_age"),
    [
        ("public, max-age=300", 300),
        ("MAX-AGE=5", 5),
        ("max-age = 7", 7),
        ('max-age="9"', 9),
        ("no-store", 0),
        ("no-cache", 0),
        ("max-age=300, no-cache", 0),
        ("No-Cache", 0),
        ("x-no-store", None),
        ("no-storexx, max-age=4", 4),
        ("s-maxage=60", None),
        ("x-max-age=60", None),
        ("max-age=-1", None),
        ("max-age=99999999999999", None),
        ("max-age=abc", None),
        ("", None),
    ],
)
def test_document_and_max_age_come_back(cache_control: str, max_age: int | None) -> None:
    """The body as sent, and max-age in seconds, or None where there is no sensible one."""
    with serving(document("{}", Cache_Control=cache_control)) as server:
        fetched = fetch(server.url)
    assert (fetched.document, fetched.max_age) == (b"{}", max_age)
    assert server.paths == ["/jwks.json"]
    assert server.headers["accept-encoding"] == "identity"
    assert "authorization" not in server.headers


@pytest.mark.parametrize(("age", "left"), [("100", 200), ("300", 0), ("99999", 0), ("-5", 300), ("x", 300), ("", 300)])
def test_time_in_caches_on_the_way_counts(age: str, left: int) -> None:
    """RFC 9111 section 4.2: what a cache held for a while is fresh for the rest only."""
    with serving(document("{}", Cache_Control="max-age=300", Age=age)) as server:
        assert fetch(server.url).max_age == left


def test_f06_largest_document_is_256_kib() -> None:
    """256 KiB come back whole, a byte more is refused."""
    with serving(document(b"a" * LARGEST_JWKS)) as server:
        assert len(fetch(server.url).document) == LARGEST_JWKS
    assert "more than" in _reason(document(b"a" * (LARGEST_JWKS + 1)))


def test_f06_ten_megabytes_are_not_read() -> None:
    """The connection is closed long before an answer of 10 MB has been sent."""
    sent = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(160):
            handler.wfile.write(b"a" * 65_536)
            sent.append(65_536)

    assert "more than" in _reason(answer)
    assert sum(sent) < 10_000_000


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 404, 429, 500, 503])
def test_f06_other_answers_fail(status: int) -> None:
    """Only 200 brings a document."""
    assert _reason(document(b"" if status in {204, 304} else b"{}", status)) == f"status {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["/other", "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "https://evil.example/jwks.json"],
)
def test_f08_redirects_are_not_followed(status: int, location: str) -> None:
    """A redirect is a failure, wherever it leads; nothing else is asked."""
    with (
        serving(document(b"", status, Location=location)) as server,
        pytest.raises(FetchFailed, match=f"status {status}"),
    ):
        fetch(server.url)
    assert server.paths == ["/jwks.json"]


def test_compressed_answer_fails() -> None:
    """We ask for none, so nothing is ever decompressed."""
    assert _reason(document(gzip.compress(b"a" * 10_000_000), Content_Encoding="gzip")) == "an encoded answer"


def test_truncated_answer_fails() -> None:
    """A body shorter than its Content-Length is a failure."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"{}")
        handler.close_connection = True

    assert _reason(answer) == "RemoteProtocolError"


def test_nobody_there_fails() -> None:
    """A port where nobody listens is a failure at once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(FetchFailed, match="ConnectError"):
            fetch(url)


@pytest.mark.parametrize("answer", [b"", b"\0" * 100, b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n"], ids=range(4))
def test_what_is_no_http_fails(answer: bytes) -> None:
    """An answer that is no HTTP, or none, is a failure."""

    def not_http(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(answer)
        handler.close_connection = True

    assert _reason(not_http) == "RemoteProtocolError"


def _silent(handler: BaseHTTPRequestHandler) -> None:
    stop.wait(10)
    handler.close_connection = True


def _dripping_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not stop.wait(0.1):
        handler.wfile.write(b"a")


def _dripping_body(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not stop.wait(0.1):
        handler.wfile.write(b" ")


stop = threading.Event()


def test_f06_slow_answers_are_ended_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, of the name server as well, dripping headers and a dripping body all end when the 3 seconds are over."""
    stop.clear()
    resolve = socket.getaddrinfo

    def resolve_late(host: str | bytes, *others: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever the real one takes
        if host in {"silent.test", b"silent.test"}:
            stop.wait(10)
        return resolve(host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_late)
    ended: list[tuple[str, float]] = []

    def run(url: str) -> None:
        started = time.monotonic()
        with pytest.raises(FetchFailed) as failed:
            fetch(url)
        ended.append((str(failed.value), time.monotonic() - started))

    with serving(_silent) as silent, serving(_dripping_headers) as headers, serving(_dripping_body) as body:
        urls = ("https://silent.test/", silent.url, headers.url, body.url)
        threads = [threading.Thread(target=run, args=(url,)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
    assert [reason for reason, _ in ended] == ["no whole answer within 3 s"] * 4
    assert all(DEADLINE <= seconds < DEADLINE + 1.5 for _, seconds in ended)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(hours=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "certificate.pem", folder / "key.pem"


def test_f06_certificate_must_be_trusted_and_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown certificate, and a known one for another name, fail; SSL_CERT_FILE names an authority of one's own."""
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(document("{}"), context) as server:
        with pytest.raises(FetchFailed, match="ConnectError"):
            fetch(server.url.replace("127.0.0.1", "localhost"))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(server.url.replace("127.0.0.1", "localhost")).document == b"{}"
        with pytest.raises(FetchFailed, match="ConnectError"):
            fetch(server.url)


def test_plain_http_to_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs a proxy of the environment can't exchange the keys of an issuer on this machine."""
    with serving(document('{"keys": "of the proxy"}')) as proxy, serving(document('{"keys": []}')) as issuer:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert fetch(issuer.url).document == b'{"keys": []}'
        assert proxy.paths == []
