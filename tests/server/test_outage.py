"""What a thread says while something fails again and again."""

import pytest
from structlog.testing import capture_logs

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.server.outage import Outage


@pytest.fixture
def outage() -> Outage:
    """Return one that has not begun."""
    return Outage("it fails", "it works again", defect="it is broken")


def test_outage_is_told_at_its_beginning_and_its_end(outage: Outage) -> None:
    """However often it has failed between; and each outage anew."""
    with capture_logs() as lines:
        outage.is_over()
        for number in range(3):
            for reason in ("the server has gone", f"again {number}"):
                outage.tell(RegistryUnavailable(reason))
            outage.is_over()
            outage.is_over()
    beginning = {"event": "it fails", "reason": "the server has gone", "log_level": "warning"}
    end = {"event": "it works again", "log_level": "info"}
    assert lines == [beginning, end] * 3


def test_other_kinds_of_errors_are_told_too(outage: Outage) -> None:
    """Each once; of one that nobody expected its type and its places, not its text."""
    with capture_logs() as lines:
        for _ in range(5):
            for error in (RegistryUnavailable("gone"), ConfigurationError("mend it"), ValueError("canary")):
                outage.tell(error)
        outage.is_over()
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("it fails", "warning"),
        ("it fails", "warning"),
        ("it is broken", "error"),
        ("it works again", "info"),
    ]
    assert lines[2]["exception"] == "ValueError"
    assert "canary" not in str(lines)
