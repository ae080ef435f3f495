"""Since when the uses of secrets are recorded: what was before that proves nothing."""

from sensos_auth.registry.transactions import View


def note_recording_of_uses(view: View) -> None:
    """Write down that uses are recorded from now on, unless they were before.

    Inside a change, or inside ``registry.observation()``.
    """
    view.statements.note_recording_of_uses(view.connection, now=view.now)
