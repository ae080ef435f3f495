"""Flask applications behind access tokens.

Usage::

    authentication = Authentication(verifier)
    authentication.protect(app)

    @app.get("/v1/devices")
    @authentication.require("devices:read")
    def devices() -> list[str]:
        g.caller.tenant_id

``protect`` closes a whole application or blueprint, ``require`` one view; either will do alone.
"""

import functools
from collections.abc import Callable, Collection
from typing import ParamSpec, TypeVar

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier
from sensos_auth.verifying.wsgi_authorization import WsgiAuthorization

try:
    from flask import Blueprint, Flask, Response, current_app, g, request
except ImportError as error:
    raise ImportError("sensos_auth.verifying.flask needs Flask: pip install 'sensos-auth[flask]'") from error

__all__ = ["Authentication"]

_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer")


class Authentication:
    """Authenticates requests with the verifier; the caller is ``flask.g.caller``."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._authorization = WsgiAuthorization()

    def protect(self, app: Flask | Blueprint, *, open_endpoints: Collection[str] = ()) -> None:
        """Demand a token for every request to the application or blueprint, whatever its method.

        An application is closed with its static files and the paths that do not exist. ``open_endpoints`` are the names
        of endpoints that stay open, such as ``["health"]``; they have no ``g.caller``. Raises ConfigurationError if
        they are a single text.
        """
        if isinstance(open_endpoints, str):
            raise ConfigurationError('open_endpoints is a list of names, as in ["health"]')
        are_open = frozenset(open_endpoints)

        @app.before_request
        def authenticate_request() -> Response | None:
            g.pop("caller", None)  # requests share g where an application context is around them all
            return None if request.endpoint in are_open else self._refusal("")

    def require(self, scope: str = "") -> Callable[[Callable[_Parameters, _Answer]], Callable[_Parameters, _Answer]]:
        """Return a decorator for views that need a token with all the scopes, space-separated; raises InvalidInput.

        Put it below the route's decorator. Flask answers OPTIONS by itself; for such a view it needs the token as well.
        A class-based view has it among its ``decorators``, and sets ``provide_automatic_options = False`` for that.
        """
        needed = normalize_scope(scope)

        def guard(view: Callable[_Parameters, _Answer]) -> Callable[_Parameters, _Answer]:
            @functools.wraps(view)
            def guarded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Answer:
                refusal = self._refusal(needed)
                if refusal is None and request.method == "OPTIONS" and automatic_options:
                    refusal = current_app.make_default_options_response()
                if refusal is not None:
                    return refusal  # type: ignore[return-value] # a Response is what any view may return
                return current_app.ensure_sync(view)(*args, **kwargs)  # type: ignore[no-any-return]

            automatic_options = getattr(view, "provide_automatic_options", None) is not False
            if automatic_options:
                guarded.provide_automatic_options = False  # type: ignore[attr-defined] # Flask looks for them here
                guarded.required_methods = {*getattr(view, "required_methods", ()), "OPTIONS"}  # type: ignore[attr-defined]
            return guarded

        return guard

    def _refusal(self, scope: str) -> Response | None:
        try:
            g.caller = authenticate(self._verifier, self._authorization.values(request.environ), scope=scope)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            refusal = refusal_for(error)
            return Response(refusal.body, refusal.status, list(refusal.headers))
        return None
