from collections.abc import Mapping

import pytest

from sensos_auth.verifying.wsgi_authorization import WsgiAuthorization

GOOD = {"HTTP_AUTHORIZATION": "Bearer x"}


def _warnings(caplog: pytest.LogCaptureFixture, *requests: Mapping[str, object]) -> list[str]:
    authorization = WsgiAuthorization()
    for environ in requests:
        authorization.values(environ)
    return [record.getMessage() for record in caplog.records]


def test_value_is_what_the_server_says() -> None:
    """One header is one value, and none is none."""
    assert WsgiAuthorization().values(GOOD) == ["Bearer x"]
    assert WsgiAuthorization().values({}) == []


@pytest.mark.parametrize(
    ("environ", "hint"),
    [
        ({"mod_wsgi.version": (5, 0, 0)}, "WSGIPassAuthorization On"),
        ({"REDIRECT_HTTP_AUTHORIZATION": "Bearer x"}, "CGIPassAuth On"),
    ],
)
def test_g13_server_that_keeps_the_header_back_is_named(
    caplog: pytest.LogCaptureFixture, environ: dict[str, object], hint: str
) -> None:
    """The first request that looks so brings one warning, which says what to set; nothing of a token."""
    (warning,) = _warnings(caplog, environ, environ, {}, environ)
    assert hint in warning
    assert "Bearer" not in warning


def test_g13_header_that_never_comes_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """After a hundred requests without, from any server."""
    assert _warnings(caplog, *[{}] * 99) == []
    (warning,) = _warnings(caplog, *[{}] * 250)
    assert "in 100 requests" in warning


def test_g13_one_header_is_enough_to_be_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Where one request had the header, the others simply show no token."""
    assert _warnings(caplog, GOOD, *[{"mod_wsgi.version": (5, 0, 0)}] * 250) == []


def test_renamed_header_is_not_taken() -> None:
    """It is named in the warning only: a server that renames it was told to, and may rename what a client chose."""
    assert WsgiAuthorization().values({"REDIRECT_HTTP_AUTHORIZATION": "Bearer x"}) == []
