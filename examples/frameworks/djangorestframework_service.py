"""A service with Django REST framework.

Run: granian --interface wsgi --port 8001 djangorestframework_service:application
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["sensos_auth.verifying.djangorestframework.CallerAuthentication"],
        "EXCEPTION_HANDLER": "sensos_auth.verifying.djangorestframework.exception_handler",
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,  # there are no users beside callers
    },
    SENSOS_AUTH={"ISSUER": os.environ["SENSOS_AUTH_ISSUER"], "AUDIENCE": os.environ["SENSOS_AUTH_AUDIENCE"]},
)
application = get_wsgi_application()

from rest_framework.response import Response  # reads the settings above
from rest_framework.views import APIView

from sensos_auth.verifying.djangorestframework import AuthenticatedRequest, require


class WhoAmI(APIView):
    def get(self, request: AuthenticatedRequest) -> Response:
        return Response({"tenantId": request.auth.tenant_id, "applicationId": request.auth.application_id})


class Vehicles(APIView):
    permission_classes = (require("vehicles:read"),)

    def get(self, request: AuthenticatedRequest) -> Response:
        return Response([f"a vehicle of {request.user.caller.tenant_id}"])


urlpatterns = [path("v1/whoami", WhoAmI.as_view()), path("v1/vehicles", Vehicles.as_view())]
