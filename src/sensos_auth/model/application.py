"""The application: a machine of a tenant that calls the API."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Application:
    """A caller of the API. Times are UTC seconds; ``lifetime`` is in seconds, ``None`` where its tenant decides.

    ``scope`` is space-separated and may be empty: then its tokens carry no ``scope`` claim. ``audience`` is the ``aud``
    of its tokens, ``None`` for the deployment's. ``changed_version`` is the registry version of its last change.
    """

    application_id: str
    tenant_id: str
    name: str
    scope: str
    lifetime: int | None
    audience: str | None
    created_at: int
    disabled_at: int | None
    changed_version: int
