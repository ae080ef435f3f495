"""The trail tells what became of the calls, and must hold all that was acknowledged, in order."""

from dataclasses import replace

from tests.nodes.history import Asked, Effect, Operation, Outcome
from tests.nodes.trail import TrailEvent, of_a_version_taken_away, resolve

LOST = "no acknowledged write lost"


def call(number: int, begin: float, end: float, outcome: Outcome = Outcome.DONE, action: str = "disabled") -> Operation:
    """Return a call that disables or enables an application."""
    effect = Effect.GIVES if action == "enabled" else Effect.TAKES_AND_VOIDS
    return Operation(number, f"application.{action}", effect, "app_1", begin, end, outcome, "me")


def event(at: float, action: str = "disabled", subject: str = "app_1", actor: str = "me") -> TrailEvent:
    """Return an event, whose version is its time in milliseconds."""
    return TrailEvent(int(at * 1000), at, f"application.{action}", actor, subject)


def test_every_acknowledged_call_has_its_event() -> None:
    """At its own time."""
    assert resolve([call(1, 1, 2)], [event(1.5)], seen_until=9).violations == []
    assert [found.rule for found in resolve([call(1, 1, 2)], [], seen_until=9).violations] == [LOST]
    assert LOST in [found.rule for found in resolve([call(1, 1, 2)], [event(5)], seen_until=9).violations]


def test_events_of_others_are_no_evidence() -> None:
    """Whoever else did the same."""
    found = resolve([call(1, 1, 2)], [event(1.5, actor="somebody else")], seen_until=9)
    assert [violation.rule for violation in found.violations] == [LOST]


def test_what_was_done_twice_is_found() -> None:
    """One call, two events."""
    found = resolve([call(1, 1, 2)], [event(1.2), event(1.6)], seen_until=9)
    assert [violation.rule for violation in found.violations] == ["nothing done twice"]


def test_call_of_unknown_outcome_is_one_that_happened_if_it_has_an_event() -> None:
    """By the time at which the next version was given; without one it did not happen."""
    unknown = call(1, 1, 2, Outcome.UNKNOWN, "enabled")
    found = resolve([unknown, call(2, 5, 6)], [event(3, "enabled"), event(5.5)], seen_until=9)
    assert found.violations == []
    assert 5.5 <= found.operations[0].latest < 6
    assert resolve([unknown], [], seen_until=9).operations[0].outcome is Outcome.NOT_DONE


def test_acknowledged_call_gets_its_event_before_one_of_unknown_outcome() -> None:
    """Which is then one that did not happen."""
    found = resolve([call(1, 1, 2, Outcome.UNKNOWN), call(2, 3, 4)], [event(3.5)], seen_until=9)
    assert [(one.number, one.outcome) for one in found.operations] == [(1, Outcome.NOT_DONE), (2, Outcome.DONE)]


def test_creation_of_unknown_outcome_is_found_by_what_it_was_for() -> None:
    """And then bears the name of what it made."""
    unknown = Operation(1, "secret.created", Effect.GIVES, "?app_1", 1, 2, Outcome.UNKNOWN, "me")
    made = TrailEvent(1500, 1.5, "secret.created", "me", "sec_1", "app_1")
    assert resolve([unknown], [made], seen_until=9).operations[0].subject == "sec_1"


def test_versions_follow_the_order_of_the_calls() -> None:
    """A call that began after another had returned has the higher one; of two at once, either."""
    first, second = call(1, 1.0, 1.1), replace(call(2, 1.2, 1.3), subject="app_2")
    wrong = [event(1.25), event(1.05, subject="app_2")]
    found = resolve([first, second], wrong, seen_until=9).violations
    assert [violation.rule for violation in found] == ["versions grow in the order of the calls"]
    assert resolve([replace(first, end=1.25), second], wrong, seen_until=9).violations == []


def test_rotated_key_is_told_of() -> None:
    """By its own events, whoever made it."""
    rotated = Operation(1, "signing_key.rotated", Effect.REPLACES_KEY, "", 1, 2, Outcome.DONE, "me", made="key")
    told = TrailEvent(1500, 1.5, "signing_key.scheduled", "somebody else", "key")
    assert resolve([rotated], [told], seen_until=9).violations == []
    assert [found.rule for found in resolve([rotated], [], seen_until=9).violations] == [LOST]


def test_token_of_a_version_at_which_it_was_taken_away() -> None:
    """From the version that disables to the one that enables."""
    events = [event(2), event(4, "enabled")]

    def found(version: int) -> int:
        asked = Asked(0, 1, "node 1", "ten_1", "app_1", "sec_1", 200, "token", "key", version)
        return len(list(of_a_version_taken_away([asked], events)))

    assert [found(version) for version in (1999, 2000, 3999, 4000)] == [0, 1, 1, 0]
