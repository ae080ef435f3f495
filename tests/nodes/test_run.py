"""What a run of the fault test says of itself."""

import pytest

from tests.nodes.history import Effect, FaultRecord, History, Operation, Outcome
from tests.nodes.run import Plan, too_little

_PLAN = Plan(operations=3, faults=2, seed=1, seconds=5.0)
_CALL = Operation(1, "application.disabled", Effect.TAKES_AND_VOIDS, "app_1", 1.0, 2.0, Outcome.DONE)
_FAULT = FaultRecord("node killed", "node 1", 1.0, 2.0)


@pytest.mark.parametrize(("operations", "faults", "is_enough"), [(3, 2, True), (2, 9, False), (9, 1, False)])
def test_run_in_which_less_happened_than_planned_proves_nothing(
    operations: int, faults: int, *, is_enough: bool
) -> None:
    """Its time was over: that is told as a violation, with both counts."""
    history = History([_CALL] * operations, faults=[_FAULT] * faults)
    found = too_little(history, _PLAN)
    assert (found == []) is is_enough
    assert all(f"{operations} of 3 operations, {faults} of 2 faults in 5 s" in violation.says for violation in found)
