"""Over TLS: who shows a certificate that is not good gets no secret."""

from pathlib import Path

import pytest

from sensos_auth.client import ConfigurationError, Credentials, TokenServiceUnavailable, TokenSource
from sensos_auth.testing import token_server
from tests.client.certificates import new_authority


def test_a_named_authority_is_trusted(tmp_path: Path) -> None:
    """``ca_file`` names the authority of a company's own."""
    authority = new_authority(tmp_path)
    with token_server(tls=authority.server_context(tmp_path, "127.0.0.1")) as server:
        assert TokenSource.from_env(server.environment, ca_file=authority.file).token()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_an_authority(tmp_path: Path, content: bytes | None) -> None:
    """Said at once, not with the first token."""
    if content is not None:
        (tmp_path / "authority.pem").write_bytes(content)
    credentials = Credentials("ten_a", "app_a", "sensos_sk_x")
    with pytest.raises(ConfigurationError, match="ca_file holds no certificates, or cannot be read"):
        TokenSource(credentials, "https://api.example.com", ca_file=tmp_path / "authority.pem")


@pytest.mark.parametrize(
    ("names", "days", "text"),
    [
        (["api.example.com"], 1, "certificate is not good .*mismatch"),
        (["127.0.0.1"], -1, "certificate is not good .*expired"),
    ],
    ids=["wrong name", "expired"],
)
def test_m05_a_certificate_that_is_not_good(tmp_path: Path, names: list[str], days: int, text: str) -> None:
    """It is said at once and in words; the token endpoint hears nothing."""
    authority = new_authority(tmp_path)
    with token_server(tls=authority.server_context(tmp_path, *names, days=days)) as server:
        source = TokenSource.from_env(server.environment, ca_file=authority.file, patience=20.0)
        with pytest.raises(TokenServiceUnavailable, match=text):
            source.token()
        assert server.token_requests == 0


def test_m05_an_unknown_authority(tmp_path: Path) -> None:
    """Without ``ca_file`` only the usual authorities count."""
    authority = new_authority(tmp_path)
    with token_server(tls=authority.server_context(tmp_path, "127.0.0.1")) as server:
        with pytest.raises(TokenServiceUnavailable, match="certificate is not good"):
            TokenSource.from_env(server.environment).token()
        assert server.token_requests == 0
