"""Loaded by Schemathesis: gives each request of its own a good token, whatever the requests before have done.

An operator who may do everything can also take away his own secrets and scopes, and revoke his tokens.
"""

import os
import time
from functools import cache
from typing import Any

import httpx2
import schemathesis

from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import change_application
from sensos_auth.registry.secrets import create_secret

_GOOD_FOR = 0.1  # seconds

_token = ""
_fetched_at = 0.0


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, object]) -> None:  # noqa: ARG001 - Schemathesis' signature
    """Put the token into the request."""
    case.headers["Authorization"] = f"Bearer {_fresh_token()}"


def _fresh_token() -> str:
    global _token, _fetched_at
    if time.monotonic() - _fetched_at > _GOOD_FOR:
        _token, _fetched_at = _new_token(), time.monotonic()
    return _token


def _new_token() -> str:
    tenant_id, application_id = os.environ["CALLER_TENANT"], os.environ["CALLER_APPLICATION"]
    with _registry().change("test") as change:
        change_application(change, application_id, scope=os.environ["CALLER_SCOPE"], lifetime=None, audience=None)
        _, secret = create_secret(change, application_id=application_id, expires_in=600)
    credentials = {"tenantId": tenant_id, "applicationId": application_id, "applicationSecret": secret}
    answer = _client().post("/v1/applications/token", json=credentials)
    return str(answer.json()["accessToken"])


@cache
def _registry() -> Registry:
    return open_registry(os.environ["CALLER_REGISTRY"])


@cache
def _client() -> httpx2.Client:
    return httpx2.Client(base_url=os.environ["CALLER_SERVICE"], trust_env=False)
