"""Where tenants, applications, secrets, keys and revocations are kept, with the audit trail of every change.

Open one with :func:`open_registry`. Read inside ``with registry.view() as view:``; change inside
``with registry.change(actor) as change:``. A change is one transaction, moves the registry version forward, and is
refused if it records no audit event. What is merely observed, and may be lost, is written inside
``with registry.observation() as view:``. The functions that read and change things stand in the module of the thing.
"""

from sensos_auth.registry.opening import open_registry
from sensos_auth.registry.transactions import Change, Registry, View

__all__ = ["Change", "Registry", "View", "open_registry"]
