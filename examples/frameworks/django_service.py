"""A Django project in one file. Run: granian --interface wsgi --port 8001 django_service:application."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

from sensos_auth.verifying.django import AuthenticatedRequest, require

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    MIDDLEWARE=["sensos_auth.verifying.django.AuthenticationMiddleware"],
    SENSOS_AUTH={"ISSUER": os.environ["SENSOS_AUTH_ISSUER"], "AUDIENCE": os.environ["SENSOS_AUTH_AUDIENCE"]},
)


def whoami(request: AuthenticatedRequest) -> JsonResponse:
    return JsonResponse({"tenantId": request.caller.tenant_id, "applicationId": request.caller.application_id})


@require("vehicles:read")
def vehicles(request: AuthenticatedRequest) -> JsonResponse:
    return JsonResponse([f"a vehicle of {request.caller.tenant_id}"], safe=False)


urlpatterns = [path("v1/whoami", whoami), path("v1/vehicles", vehicles)]
application = get_wsgi_application()
asgi_application = get_asgi_application()
