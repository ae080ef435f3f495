"""Django REST framework's views behind access tokens.

In the settings, beside ``SENSOS_AUTH`` as :mod:`sensos_auth.verifying.django` has it::

    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["sensos_auth.verifying.djangorestframework.CallerAuthentication"],
        "EXCEPTION_HANDLER": "sensos_auth.verifying.djangorestframework.exception_handler",
    }

In the views::

    class Devices(APIView):
        permission_classes = [require("devices:read")]

        def get(self, request: AuthenticatedRequest) -> Response:
            request.user.caller.tenant_id, request.auth.scopes

Every view of the framework needs a token, whatever its permissions say, unless it sets ``authentication_classes = []``.
"""

from typing import TYPE_CHECKING, Any

from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope, MissingToken
from sensos_auth.verifying.needed_scopes import NeededScopes
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.wsgi_authorization import WsgiAuthorization

try:
    from django.http import HttpResponse
    from django.http.response import HttpResponseBase
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import APIException
    from rest_framework.permissions import BasePermission
    from rest_framework.request import Request

    from sensos_auth.verifying import django_settings
except ImportError as error:
    raise ImportError(
        "sensos_auth.verifying.djangorestframework needs Django REST framework:"
        " pip install 'sensos-auth[djangorestframework]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.views import APIView


__all__ = ["AuthenticatedRequest", "CallerAuthentication", "CallerUser", "exception_handler", "require"]


class CallerUser:
    """What ``request.user`` is: the caller, as the framework wants its users."""

    is_authenticated = True
    is_anonymous = False
    is_active = True

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.pk = caller.application_id  # throttling counts by it

    def __str__(self) -> str:
        return self.caller.application_id


class AuthenticatedRequest(Request):
    """The type of requests to protected views."""

    user: CallerUser  # type: ignore[assignment] # the framework's stubs know Django's users only
    auth: Caller


class Refused(APIException):
    """The request is refused, as the contract has it."""

    def __init__(self, reason: Exception) -> None:
        self.refusal = refusal_for(reason)
        headers = dict(self.refusal.headers)
        super().__init__(str(reason))
        self.status_code = self.refusal.status
        self.auth_header = headers.get("www-authenticate")  # for a project without our exception_handler
        self.wait = headers.get("retry-after")


class CallerAuthentication(BaseAuthentication):
    """Makes the caller ``request.auth``, and ``request.user`` a CallerUser; nobody is anonymous."""

    authorization = WsgiAuthorization()

    def authenticate(self, request: Request) -> tuple[CallerUser, Caller]:
        """Return user and caller; raises Refused."""
        try:
            caller = authenticate(django_settings.verifier(), self.authorization.values(request.META))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            raise Refused(error) from None
        return CallerUser(caller), caller

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        """Return the challenge of what else the framework refuses with 401."""
        return "Bearer"


def require(scope: str) -> type[BasePermission]:
    """Return a permission class that demands all the scopes, space-separated; raises InvalidInput if it is none.

    It raises Refused to name the scopes, so ``|`` and ``~`` of the framework, which ask for a no, do not soften it.
    """
    needed = NeededScopes(scope)

    class CallerHasScopes(BasePermission):
        def has_permission(self, request: Request, view: "APIView") -> bool:  # noqa: ARG002 - the framework's signature
            if not isinstance(request.auth, Caller):
                raise Refused(MissingToken("the request carries no access token"))
            try:
                needed.check(request.auth)
            except InsufficientScope as error:
                raise Refused(error) from None
            return True

    return CallerHasScopes


def exception_handler(error: Exception, context: "Mapping[str, Any]") -> HttpResponseBase | None:
    """Answer what is Refused by the contract, whatever renderers a view has, and leave the rest to the framework."""
    if isinstance(error, Refused):
        return HttpResponse(error.refusal.body, status=error.status_code, headers=dict(error.refusal.headers))
    from rest_framework import views  # noqa: PLC0415 - which imports this module, by the settings

    return views.exception_handler(error, dict(context))
