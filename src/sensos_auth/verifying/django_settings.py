"""The verifier that a Django project names in its settings."""

from functools import cache
from threading import Lock
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sensos_auth.verifying.errors import KeysUnavailable, RevocationsUnavailable
from sensos_auth.verifying.verifier import Verifier

_START_SECONDS = 5.0
_making = Lock()
_NAMES = frozenset(("ISSUER", "AUDIENCE", "VERIFIER", "OPEN_VIEWS"))


def open_views() -> frozenset[str]:
    """Return the names of the views that need no access token; raises ImproperlyConfigured."""
    views = _section().get("OPEN_VIEWS", ())
    if isinstance(views, str) or not all(isinstance(view, str) for view in views):
        raise ImproperlyConfigured('SENSOS_AUTH["OPEN_VIEWS"] is a list of view names')
    return frozenset(views)


def verifier() -> Verifier:
    """Return the project's one verifier, made at the first call; raises ImproperlyConfigured."""
    with _making:  # requests that come first together must not make one each, with threads of its own
        return make_verifier()


@cache
def make_verifier() -> Verifier:
    """Do what :func:`verifier` does, for one thread.

    It is ``VERIFIER``, the dotted path of one, or is made from ``ISSUER`` and ``AUDIENCE``: then it has a few seconds
    to get the keys and what is revoked; as long as the keys don't come, requests are answered with 503.
    """
    section = _section()
    if "VERIFIER" in section:
        named = import_string(section["VERIFIER"])
        if not isinstance(named, Verifier):
            raise ImproperlyConfigured('SENSOS_AUTH["VERIFIER"] is the dotted path of a Verifier')
        return named
    if not {"ISSUER", "AUDIENCE"} <= section.keys():
        raise ImproperlyConfigured("SENSOS_AUTH needs ISSUER and AUDIENCE, or VERIFIER")
    made = Verifier.connect(section["ISSUER"], audience=section["AUDIENCE"])
    try:
        made.wait_until_ready(_START_SECONDS)
    except (KeysUnavailable, RevocationsUnavailable):
        return made  # which has said so in the log, and goes on trying
    return made


def _section() -> dict[str, Any]:
    section = getattr(settings, "SENSOS_AUTH", None)
    if not isinstance(section, dict):
        raise ImproperlyConfigured('set SENSOS_AUTH = {"ISSUER": "https://…", "AUDIENCE": "…"}')
    if unknown := section.keys() - _NAMES:
        raise ImproperlyConfigured(f"SENSOS_AUTH has no setting {', '.join(sorted(map(str, unknown)))}")
    return section
