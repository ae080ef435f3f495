"""The confirmed lease: what a node on PostgreSQL knows of the registry, and until when it may go by it.

A node confirms the registry version again and again. What it holds in memory it may use for :data:`LEASE` seconds from
the moment *before* it asked: whoever takes something away waits as long after the commit, so that then no node goes by
what was before. Times are seconds of a clock that nobody sets and that goes on while the machine sleeps.
"""

from typing import Final, NamedTuple

# Seconds, the same on every node of every release: nodes that believe for longer than others wait break the promise.
LEASE: Final = 0.25
# Subjects of changes that are told apart. When there are more, all that was read before them counts as changed.
_MOST_SUBJECTS = 20_000


class Confirmed(NamedTuple):
    """A registry version that the node has confirmed, that of the last change to a signing key, and until when."""

    version: int
    signing_keys_version: int
    until: float


class Lease:
    """Written by one thread, read by another without a lock.

    The writer first notes what changed and then confirms the version: whoever sees the version sees the changes.
    """

    def __init__(self) -> None:
        self.confirmed = Confirmed(0, 0, 0.0)
        # The version before which all counts as changed, and those of the subjects that were changed since: one pair,
        # so that a reader sees both as of the same moment.
        self._changes: tuple[int, dict[str, int]] = (0, {})

    def note_change(self, subject: str, version: int) -> None:
        """Take it that the subject (a tenant, an application, a secret, by its ID) was changed at this version."""
        _, changed_at = self._changes
        if len(changed_at) >= _MOST_SUBJECTS and subject not in changed_at:
            self.note_changes_everywhere(max(changed_at.values()))
            _, changed_at = self._changes
        changed_at[subject] = max(version, changed_at.get(subject, 0))  # what was named before is named again at times

    def note_changes_everywhere(self, version: int) -> None:
        """Take it that whatever was read before this version may have changed."""
        self._changes = (version, {})

    def confirm(self, confirmed: Confirmed) -> None:
        """Go by this version from now on; all changes up to it have been noted."""
        self.confirmed = confirmed

    def has_changed(self, read_at: int, *subjects: str) -> bool:
        """Tell whether one of the subjects was changed after the version ``read_at``, as far as this node knows."""
        all_changed_at, changed_at = self._changes
        if read_at < all_changed_at:
            return True
        if changed_at:
            for subject in subjects:
                if read_at < changed_at.get(subject, 0):
                    return True
        return False
