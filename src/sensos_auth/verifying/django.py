"""Django projects behind access tokens.

In the settings::

    MIDDLEWARE = ["sensos_auth.verifying.django.AuthenticationMiddleware", ...]
    SENSOS_AUTH = {"ISSUER": "https://auth.example.com", "AUDIENCE": "sensos-api", "OPEN_VIEWS": ["health"]}

In the views::

    @require("devices:read")
    def devices(request: AuthenticatedRequest) -> HttpResponse:
        request.caller.tenant_id

Every path needs a token, also one that does not exist, but for the views named in ``OPEN_VIEWS``. Instead of issuer and
audience, ``"VERIFIER": "project.authentication.verifier"`` names a verifier of your own.
"""

import functools
from collections.abc import Awaitable, Callable, Generator
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope, MissingToken
from sensos_auth.verifying.needed_scopes import NeededScopes
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.wsgi_authorization import WsgiAuthorization

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction
    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase
    from django.urls import Resolver404, resolve

    from sensos_auth.verifying import django_settings
except ImportError as error:
    raise ImportError("sensos_auth.verifying.django needs Django: pip install 'sensos-auth[django]'") from error

__all__ = ["AuthenticatedRequest", "AuthenticationMiddleware", "require"]

_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer", HttpResponse, HttpResponseBase, Awaitable[HttpResponse], Awaitable[HttpResponseBase])


class AuthenticatedRequest(HttpRequest):
    """The type of requests to protected views: they have a ``caller``."""

    caller: Caller


class AuthenticationMiddleware:
    """Lets a request through to the views with the caller in ``request.caller``, or refuses it. Sync and async.

    Put it first, but after middleware that sets ``request.urlconf``. Open views get ``request.caller`` too if a good
    token was shown, and None otherwise.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self._get_response = get_response
        self._verifier = django_settings.verifier()
        self._open_views = django_settings.open_views()
        self._authorization = WsgiAuthorization()
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve one request."""
        return self._refusal(request) or self._get_response(request)

    def _refusal(self, request: HttpRequest) -> "_Refused | None":
        caller: Caller | None = None
        refusal = None
        try:
            caller = authenticate(self._verifier, self._authorization.values(request.META))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            refusal = None if self._is_open(request) else _Refused(error)
        cast("AuthenticatedRequest", request).caller = cast("Caller", caller)
        return refusal

    def _is_open(self, request: HttpRequest) -> bool:
        if not self._open_views:
            return False
        try:
            return resolve(request.path_info, getattr(request, "urlconf", None)).view_name in self._open_views
        except Resolver404:
            return False


class require:  # noqa: N801 - a decorator
    """Lets only callers with all the scopes, space-separated, reach a view; raises InvalidInput if it is none.

    For views behind AuthenticationMiddleware; without it they fail, and let nobody in.
    """

    def __init__(self, scope: str) -> None:
        self._needed = NeededScopes(scope)

    def __call__(
        self, view: Callable[Concatenate[AuthenticatedRequest, _Parameters], _Answer]
    ) -> Callable[Concatenate[HttpRequest, _Parameters], _Answer]:
        """Return the view, sync or async, guarded."""

        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Answer:
            authenticated = cast("AuthenticatedRequest", request)
            refusal = self._refusal(authenticated)
            return view(authenticated, *args, **kwargs) if refusal is None else cast("_Answer", refusal)

        return cast(
            "Callable[Concatenate[HttpRequest, _Parameters], _Answer]",
            markcoroutinefunction(guarded) if iscoroutinefunction(view) else guarded,
        )

    def _refusal(self, request: AuthenticatedRequest) -> "_Refused | None":
        caller: Caller | None = request.caller
        if caller is None:
            return _Refused(MissingToken("the request carries no access token"))
        try:
            self._needed.check(caller)
        except InsufficientScope as error:
            return _Refused(error)
        return None


class _Refused(HttpResponse):
    """The contract's answer, which is awaited where a view is async: a class-based one does not say so of a method."""

    def __init__(self, error: Exception) -> None:
        refusal = refusal_for(error)
        super().__init__(refusal.body, status=refusal.status, headers=dict(refusal.headers))

    def __await__(self) -> Generator[None, None, Self]:
        yield from ()  # there is nothing to wait for
        return self
