"""The registry that the environment names, and in whose name it is changed."""

import os
import pwd
from collections.abc import Iterator
from contextlib import closing, contextmanager

from sensos_auth.registry import Change, Registry, View, open_registry
from sensos_auth.registry.location import database_url


@contextmanager
def opened_registry() -> Iterator[Registry]:
    """Open the registry of this environment; raises ConfigurationError, RegistryUnavailable."""
    with closing(open_registry(database_url(os.environ))) as registry:
        yield registry


@contextmanager
def registry_view() -> Iterator[View]:
    """Read one consistent state of the registry of this environment."""
    with opened_registry() as registry, registry.view() as view:
        yield view


@contextmanager
def registry_change() -> Iterator[Change]:
    """Change the registry of this environment, in one transaction that is committed when the block has ended."""
    with opened_registry() as registry, registry.change(actor()) as change:
        yield change


def actor() -> str:
    """Return who the audit trail names for a change from here: ``cli:`` and the operating system's user."""
    user = os.getuid()
    try:
        return f"cli:{pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"cli:uid {user}"
