import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import AsyncClient, Client, override_settings

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying import ConnectedVerifier, Verifier, django_settings
from sensos_auth.verifying.django import AuthenticationMiddleware, require
from tests.running_service import free_port
from tests.verifying import django_project
from tests.verifying.issued import APPLICATION, AUDIENCE, GOOD_TOKEN, KEY, TENANT, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'
SCOPES = 'Bearer error="insufficient_scope", scope="devices:read admin"'


def test_caller_is_in_the_request() -> None:
    """A view finds the caller in request.caller."""
    assert Client().get("/whoami", headers=GOOD).json() == [TENANT, APPLICATION]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "TRACE"])
@pytest.mark.parametrize("path", ["/whoami", "/nothing", "/health/", "//health", "/inner/closed", "/inner/"])
def test_g14_g15_everything_is_closed(method: str, path: str) -> None:
    """Every view and path that is not named as open needs a token; with one, Django answers as ever."""
    assert Client().generic(method, path).status_code == 401
    assert Client().generic(method, path, headers=GOOD).status_code in {200, 404}


def test_named_views_stay_open() -> None:
    """By name, with their namespace; a token that is shown counts all the same, and a bad one is no harm."""
    assert Client().get("/health").content == b"open to None"
    assert Client().get("/health", headers={"authorization": "Bearer x"}).content == b"open to None"
    assert APPLICATION.encode() in Client().get("/health", headers=GOOD).content


def test_open_view_that_requires_scopes_is_not_open() -> None:
    """The stricter word counts: the settings open the view, its decorator closes it."""
    assert Client().get("/inner/open").content == UNAUTHORIZED
    assert Client().get("/inner/open", headers=GOOD).content == APPLICATION.encode()


def test_scopes_are_demanded() -> None:
    """Of sync and async views, under the sync handler."""
    assert Client().get("/read/7", headers=GOOD).content == f"7 {APPLICATION}".encode()
    assert Client().get("/read-async", headers=GOOD).content == APPLICATION.encode()
    for path in ("/lacking", "/lacking-async"):
        answer = Client().get(path, headers=GOOD)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (403, SCOPES)


def test_scopes_of_class_based_views() -> None:
    """By Django's own method_decorator, method by method."""
    assert Client().get("/class-based", headers=GOOD).content == APPLICATION.encode()
    assert Client().delete("/class-based", headers=GOOD).status_code == 403


def test_scopes_of_async_class_based_views() -> None:
    """By any of their methods, or all at once, under both handlers."""

    async def ask() -> None:
        assert (await AsyncClient().get("/class-based-async", headers=GOOD)).content == APPLICATION.encode()
        assert (await AsyncClient().delete("/class-based-async", headers=GOOD)).status_code == 403
        assert (await AsyncClient().get("/class-based-closed", headers=GOOD)).headers["WWW-Authenticate"] == SCOPES

    asyncio.run(ask())
    assert Client().get("/class-based-async", headers=GOOD).content == APPLICATION.encode()
    assert Client().get("/class-based-closed", headers=GOOD).headers["WWW-Authenticate"] == SCOPES


def test_everything_holds_under_asgi() -> None:
    """The same middleware and decorator serve Django's async handler."""

    async def ask() -> None:
        client = AsyncClient()
        assert (await client.get("/whoami", headers=GOOD)).json() == [TENANT, APPLICATION]
        assert (await client.get("/read/7", headers=GOOD)).content == f"7 {APPLICATION}".encode()
        assert (await client.get("/read-async", headers=GOOD)).content == APPLICATION.encode()
        assert (await client.get("/health")).content == b"open to None"
        for path in ("/whoami", "/nothing", "/read-async"):
            assert (await client.get(path)).content == UNAUTHORIZED
        for path in ("/lacking", "/lacking-async"):
            answer = await client.get(path, headers=GOOD)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (403, SCOPES)

    asyncio.run(ask())


def test_h05_djangos_cache_keeps_callers_apart() -> None:
    """With the cache for the whole site, which Django wants first and last, each caller gets an answer of its own."""
    middleware = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "sensos_auth.verifying.django.AuthenticationMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    other = {"authorization": f"Bearer {KEY.token(sub='app_other', client_id='app_other')}"}

    async def ask_async() -> None:
        for _ in range(2):
            assert (await AsyncClient().get("/whoami", headers=GOOD)).json() == [TENANT, APPLICATION]
            assert (await AsyncClient().get("/whoami", headers=other)).json() == [TENANT, "app_other"]

    with override_settings(MIDDLEWARE=middleware):
        for _ in range(2):
            assert Client().get("/whoami", headers=GOOD).json() == [TENANT, APPLICATION]
            assert Client().get("/whoami", headers=other).json() == [TENANT, "app_other"]
            assert Client().get("/whoami").content == UNAUTHORIZED
        cache.clear()
        asyncio.run(ask_async())


def test_require_without_the_middleware_lets_nobody_in() -> None:
    """A project that forgot the middleware breaks, rather than being open."""
    with pytest.raises(AttributeError):
        django_project.read(HttpRequest(), 7)


@pytest.mark.parametrize(
    "section",
    [
        *(None, [], {}, {"ISSUER": "https://auth.example.com"}, {"AUDIENCE": "x"}, {"ISUER": "x", "AUDIENCE": "x"}),
        *(
            {"VERIFIER": "tests.verifying.issued.KEY"},
            {"VERIFIER": "tests.verifying.issued.VERIFIER", "open_views": []},
        ),
    ],
    ids=repr,
)
def test_settings_that_say_nothing_are_refused(section: Any) -> None:  # noqa: ANN401 - as people may set it
    """A project that names no verifier does not start."""
    django_settings.make_verifier.cache_clear()
    try:
        with override_settings(SENSOS_AUTH=section), pytest.raises(ImproperlyConfigured):
            django_settings.verifier()
    finally:
        django_settings.make_verifier.cache_clear()


@pytest.mark.parametrize("views", ["health", [1], [None]], ids=repr)
def test_open_views_are_a_list_of_names(views: Any) -> None:  # noqa: ANN401 - as people may set it
    """A single text would open views by its letters."""
    section = {"VERIFIER": "tests.verifying.issued.VERIFIER", "OPEN_VIEWS": views}
    with override_settings(SENSOS_AUTH=section), pytest.raises(ImproperlyConfigured):
        AuthenticationMiddleware(lambda _: pytest.fail("reached"))


def test_project_starts_while_its_issuer_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has one verifier then, which goes on trying; until it succeeds, requests get 503."""
    monkeypatch.setattr(django_settings, "_START_SECONDS", 0.1)
    django_settings.make_verifier.cache_clear()
    try:
        with override_settings(SENSOS_AUTH={"ISSUER": f"http://127.0.0.1:{free_port()}", "AUDIENCE": AUDIENCE}):
            verifier = django_settings.verifier()
            assert isinstance(verifier, ConnectedVerifier)
            assert Client().get("/whoami", headers=GOOD).status_code == 503
            verifier.close()
    finally:
        django_settings.make_verifier.cache_clear()


def test_requests_that_come_first_together_share_one_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one would go on asking the issuer in its threads, for nobody."""
    monkeypatch.setattr(django_settings, "_START_SECONDS", 0.1)
    django_settings.make_verifier.cache_clear()
    together = Barrier(4)

    def first(_: int) -> Verifier:
        together.wait()
        return django_settings.verifier()

    try:
        with (
            override_settings(SENSOS_AUTH={"ISSUER": f"http://127.0.0.1:{free_port()}", "AUDIENCE": AUDIENCE}),
            ThreadPoolExecutor(4) as threads,
        ):
            verifiers = list(threads.map(first, range(4)))
        for verifier in verifiers:
            assert isinstance(verifier, ConnectedVerifier)
            verifier.close()
        assert len(set(verifiers)) == 1
    finally:
        django_settings.make_verifier.cache_clear()


def test_verifier_can_be_named() -> None:
    """By its dotted path."""
    assert django_settings.verifier() is VERIFIER


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the project starts."""
    with pytest.raises(InvalidInput):
        require('a"b')
