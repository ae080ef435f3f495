import pytest
from django.test import override_settings
from django.urls import path

from tests.verifying import django_project

# isort: split
# The framework reads the settings when it is imported.
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying.djangorestframework import AuthenticatedRequest, require
from tests.verifying.issued import APPLICATION, GOOD_TOKEN, TENANT

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


class _WhoAmI(APIView):
    def get(self, request: AuthenticatedRequest) -> Response:
        assert request.user.is_authenticated
        return Response([request.auth.tenant_id, str(request.user), request.user.pk, request.user.caller.token_id])


class _AllowingAny(_WhoAmI):
    permission_classes = (AllowAny,)


class _Open(APIView):
    authentication_classes = ()

    def get(self, request: AuthenticatedRequest) -> Response:
        return Response(str(request.auth))


class _OpenButScoped(_Open):
    permission_classes = (require("devices:read"),)


class _Scoped(_WhoAmI):
    permission_classes = (require("devices:read"),)


class _Lacking(_WhoAmI):
    permission_classes = (require("devices:read admin"),)


class _Missing(APIView):
    def get(self, request: AuthenticatedRequest) -> Response:
        raise NotFound(request.path)


urlpatterns = [
    path("whoami", _WhoAmI.as_view()),
    path("allowing-any", _AllowingAny.as_view()),
    path("open", _Open.as_view()),
    path("open-but-scoped", _OpenButScoped.as_view()),
    path("scoped", _Scoped.as_view()),
    path("lacking", _Lacking.as_view()),
    path("missing", _Missing.as_view()),
]

pytestmark = pytest.mark.usefixtures("_views")


@pytest.fixture
def _views() -> object:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[]):
        yield


def test_caller_is_user_and_auth() -> None:
    """The framework's user is the application, and its auth the caller."""
    answer = APIClient().get("/whoami", headers=GOOD).json()
    assert answer[:3] == [TENANT, APPLICATION, APPLICATION]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PURGE"])
@pytest.mark.parametrize("view", ["/whoami", "/allowing-any", "/scoped"])
def test_g14_every_method_of_every_view_needs_a_token(method: str, view: str) -> None:
    """Also where the permissions are for anybody: who wants a view open says so with its authentication classes."""
    assert APIClient().generic(method, view).status_code == 401
    assert APIClient().generic(method, view, headers=GOOD).status_code in {200, 405}


def test_view_without_authentication_is_open() -> None:
    """Unless it requires scopes, which nobody has without a token."""
    assert APIClient().get("/open").json() == "None"
    assert APIClient().get("/open-but-scoped").content == UNAUTHORIZED


def test_scopes_are_demanded() -> None:
    """403 by the contract."""
    assert APIClient().get("/scoped", headers=GOOD).status_code == 200
    answer = APIClient().get("/lacking", headers=GOOD)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (403, "no-store")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'


def test_other_errors_are_the_frameworks() -> None:
    """The handler answers refusals only."""
    answer = APIClient().get("/missing", headers=GOOD)
    assert (answer.status_code, answer.json()) == (404, {"detail": "/missing"})


def test_without_our_handler_nobody_gets_in_either() -> None:
    """Who forgets EXCEPTION_HANDLER gets the framework's body, with the contract's status and challenge."""
    default = {"EXCEPTION_HANDLER": "rest_framework.views.exception_handler"}
    with override_settings(REST_FRAMEWORK=django_project.FRAMEWORK | default):
        answer = APIClient().get("/lacking", headers=GOOD)
        assert APIClient().get("/whoami").headers["WWW-Authenticate"] == "Bearer"
    assert (answer.status_code, "scope" in answer.json()["detail"]) == (403, True)


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the project starts."""
    with pytest.raises(InvalidInput):
        require('a"b')
