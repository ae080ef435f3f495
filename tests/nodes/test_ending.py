"""What the registry holds in the end is what the calls have left."""

from tests.nodes.ending import Ending, of_the_ending
from tests.nodes.history import Effect, Operation, Outcome

LOST = "no acknowledged write lost"


def call(number: int, begin: float, end: float, outcome: Outcome = Outcome.DONE, action: str = "disabled") -> Operation:
    """Return a call that disables or enables an application."""
    effect = Effect.GIVES if action == "enabled" else Effect.TAKES_AND_VOIDS
    return Operation(number, f"application.{action}", effect, "app_1", begin, end, outcome, "me")


def test_ending_is_what_the_calls_have_left() -> None:
    """On or off, and void as of the call's version."""

    def found(calls: list[Operation], *, is_on: bool, void_before: int = 10) -> list[str]:
        ending = Ending({"app_1": is_on}, {"app_1": void_before})
        return [violation.rule for violation in of_the_ending(calls, {1: 10}, ending)]

    assert found([call(1, 1, 2)], is_on=False) == []
    assert found([call(1, 1, 2)], is_on=True) == [LOST]
    assert found([call(1, 1, 2)], is_on=False, void_before=9) == [LOST]
    assert found([call(1, 1, 2), call(2, 3, 4, action="enabled")], is_on=True) == []
    assert found([call(1, 1, 2), call(2, 3, 4, action="enabled")], is_on=False) == [LOST]
    for is_on in (True, False):
        assert found([call(1, 1, 2), call(2, 3, 4, Outcome.UNKNOWN, "enabled")], is_on=is_on) == []
