"""After PostgreSQL itself was restored to an earlier state: what was taken away since is taken away again, in place."""

from collections.abc import Callable

from sensos_auth.model.errors import Conflict, InvalidInput
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.backup import Manifest
from sensos_auth.registry.restoring import Evidence, Restored, known_since, take_away
from sensos_auth.registry.transactions import Registry, View, unix_milliseconds

_NODES = """
    SELECT COUNT(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'sensos-auth follower'
"""


def restore_in_place(
    registry: Registry,
    evidence: Evidence,
    *,
    check: Callable[[Registry], None],
    clock: Callable[[], int] = unix_milliseconds,
) -> Restored:
    """Do for a registry on PostgreSQL what restoring a backup does for a file, once PostgreSQL has been restored.

    All in one transaction. Issuing is locked unless a journal tells what happened since. ``check`` looks at the
    registry first, and raises if it is not the right one. ``clock`` returns UTC milliseconds.

    Raises Conflict while a node works on the registry, and for one in which nothing ever happened; InvalidInput for a
    journal that does not go on where the registry ends.
    """
    with registry.view() as view:
        (nodes,) = view.connection.execute(_NODES).fetchone()
        if nodes:
            raise Conflict(
                "nodes work on this registry, which issue what may have been taken away: end all of them first"
            )
        manifest = _last_state(view)
        tampered = len(verify_trail(view).findings)
    check(registry)
    try:
        since = known_since(manifest, evidence, clock())
    except InvalidInput as error:
        raise InvalidInput(
            f"{error}. If anything was changed since PostgreSQL was restored, restore it once more, every node ended"
        ) from error
    return take_away(registry, manifest, since, tampered)


def _last_state(view: View) -> Manifest:
    event_version, head = view.connection.execute(
        "SELECT (SELECT MAX(version) FROM audit_events), audit_hash FROM clock"
    ).fetchone()
    if event_version is None:
        raise Conflict("nothing has ever happened in this registry: restore PostgreSQL first")
    at = view.connection.execute("SELECT MAX(at) FROM audit_events WHERE version = %s", (event_version,)).fetchone()[0]
    return Manifest(made_at=at, version=event_version, head=head)
