"""A Django project for the tests: its settings, views and URLs. Django has one set of settings for each process."""

from typing import TYPE_CHECKING, cast

import django
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View

from sensos_auth.verifying.django import AuthenticatedRequest, require
from tests.verifying.issued import VERIFIER

if TYPE_CHECKING:
    from collections.abc import Callable

verifier = VERIFIER
FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["sensos_auth.verifying.djangorestframework.CallerAuthentication"],
    "EXCEPTION_HANDLER": "sensos_auth.verifying.djangorestframework.exception_handler",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}

if not settings.configured:
    settings.configure(
        SECRET_KEY="for the tests",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["testserver"],
        INSTALLED_APPS=["rest_framework"],
        MIDDLEWARE=["sensos_auth.verifying.django.AuthenticationMiddleware"],
        SENSOS_AUTH={"VERIFIER": f"{__name__}.verifier", "OPEN_VIEWS": ["health", "inner:open"]},
        REST_FRAMEWORK=FRAMEWORK,
    )
    django.setup()


def whoami(request: AuthenticatedRequest) -> JsonResponse:
    """Tell the caller who he is."""
    return JsonResponse([request.caller.tenant_id, request.caller.application_id], safe=False)


def health(request: AuthenticatedRequest) -> HttpResponse:
    """Answer anybody, and tell whether there is a caller."""
    return HttpResponse(f"open to {request.caller}")


@require("devices:read")
def read(request: AuthenticatedRequest, number: int) -> HttpResponse:
    """Answer callers with the scope."""
    return HttpResponse(f"{number} {request.caller.application_id}")


@require("devices:read")
async def read_async(request: AuthenticatedRequest) -> HttpResponse:
    """Answer callers with the scope."""
    return HttpResponse(request.caller.application_id)


@require("devices:read admin")
def lacking(request: AuthenticatedRequest) -> HttpResponse:
    """Answer nobody."""
    raise AssertionError(request)


@require("devices:read admin")
async def lacking_async(request: AuthenticatedRequest) -> HttpResponse:
    """Answer nobody."""
    raise AssertionError(request)


@require("devices:read")
def open_but_scoped(request: AuthenticatedRequest) -> HttpResponse:
    """Answer callers with the scope, though the settings call it open."""
    return HttpResponse(request.caller.application_id)


@method_decorator(require("devices:read"), name="get")
@method_decorator(require("admin"), name="delete")
class ClassBased(View):
    """A view whose methods need different scopes."""

    def get(self, request: AuthenticatedRequest) -> HttpResponse:
        """Answer callers with the scope."""
        return HttpResponse(request.caller.application_id)

    def delete(self, request: AuthenticatedRequest) -> HttpResponse:
        """Answer nobody."""
        raise AssertionError(request)


@method_decorator(require("admin"), name="delete")
@method_decorator(require("devices:read"), name="dispatch")
class ClassBasedAsync(View):
    """An async view, of which all methods need one scope, and one needs another as well."""

    async def get(self, request: AuthenticatedRequest) -> HttpResponse:
        """Answer callers with the scope."""
        return HttpResponse(request.caller.application_id)

    async def delete(self, request: AuthenticatedRequest) -> HttpResponse:
        """Answer nobody."""
        raise AssertionError(request)


@method_decorator(require("devices:read admin"), name="dispatch")
class ClassBasedClosed(ClassBasedAsync):
    """An async view that is closed as a whole."""


inner = ([path("open", open_but_scoped, name="open"), path("closed", health, name="closed")], "inner")
urlpatterns = [
    path("whoami", whoami),
    path("health", health, name="health"),
    path("read/<int:number>", read),
    path("read-async", cast("Callable[..., HttpResponse]", read_async)),  # the stubs know no async views
    path("lacking", lacking),
    path("lacking-async", cast("Callable[..., HttpResponse]", lacking_async)),
    path("class-based", ClassBased.as_view()),
    path("class-based-async", ClassBasedAsync.as_view()),
    path("class-based-closed", ClassBasedClosed.as_view()),
    path("inner/", include(inner)),
]
