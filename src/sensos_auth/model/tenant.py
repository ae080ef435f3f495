"""The tenant: a customer, and the outermost boundary of everything that belongs to it."""

from dataclasses import dataclass

from sensos_auth.model.application_secret import PREFIX
from sensos_auth.model.errors import InvalidInput

_MAXIMUM_NAME = 200


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer. Times are UTC seconds; ``lifetime`` is in seconds and ``None`` where the deployment decides.

    ``changed_version`` is the registry version of the change that wrote it last.
    """

    tenant_id: str
    name: str
    lifetime: int | None
    created_at: int
    disabled_at: int | None
    changed_version: int


def checked_name(name: str) -> str:
    """Return the display name of a tenant or an application, unchanged. Names may repeat.

    Raises InvalidInput when it is blank, longer than 200 characters, or holds control characters or a secret.
    """
    if not name.strip() or len(name) > _MAXIMUM_NAME or not name.isprintable():
        raise InvalidInput(f"a name has 1 to {_MAXIMUM_NAME} printable characters")
    if PREFIX in name:
        raise InvalidInput("a name must not hold a secret: it is shown, and kept in the audit trail")
    return name
