"""What can have been on at a moment: as every order of the calls says that agrees with their times."""

from itertools import chain, combinations, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nodes.history import Effect, Operation, Outcome
from tests.nodes.possible_states import PossibleStates, at_the_same_time


def call(effect: Effect, begin: float, end: float, outcome: Outcome = Outcome.DONE, subject: str = "x") -> Operation:
    """Return a call that switches the subject."""
    return Operation(0, f"{subject}.{effect}", effect, subject, begin, end, outcome)


def possible_on(calls: list[Operation], *, patience: float = 0.0) -> PossibleStates:
    """Return when what was on at first can have been on."""
    gives = [call for call in calls if call.effect is Effect.GIVES]
    takes = [call for call in calls if call.effect is Effect.TAKES]
    return PossibleStates(gives, takes, is_initial=True, patience=patience)


def test_on_until_the_taking_call_has_returned() -> None:
    """Until then it may be on, even if the call began long before; never after, for nobody gave it back."""
    states = possible_on([call(Effect.TAKES, 10, 20)])
    assert states.within(0, 5)
    assert states.within(20, 30) == [(20, 20)]
    assert not states.within(20.1, 30)


def test_on_again_from_the_begin_of_the_giving_call() -> None:
    """Whether it returned or not: it may have taken effect at once."""
    for outcome in (Outcome.DONE, Outcome.UNKNOWN):
        states = possible_on([call(Effect.TAKES, 10, 20), call(Effect.GIVES, 30, 40, outcome)])
        assert not states.within(21, 29)
        assert states.within(21, 31) == [(30, 31)]
        assert states.within(50, 60)


def test_call_that_failed_changes_nothing() -> None:
    """A refused one gives nothing back, and takes nothing away."""
    assert not possible_on([call(Effect.TAKES, 1, 2), call(Effect.GIVES, 3, 4, Outcome.NOT_DONE)]).within(5, 9)
    assert possible_on([call(Effect.TAKES, 1, 2, Outcome.NOT_DONE)]).within(5, 9)


def test_taking_call_of_unknown_outcome_promises_nothing() -> None:
    """Nobody was told that it has been taken away."""
    assert possible_on([call(Effect.TAKES, 1, 2, Outcome.UNKNOWN)]).within(5, 9)


def test_giving_call_of_unknown_outcome_may_come_after_a_later_taking_one() -> None:
    """It may have been stuck on its way."""
    late = [call(Effect.GIVES, 1, 2, Outcome.UNKNOWN), call(Effect.TAKES, 3, 4)]
    assert possible_on(late).within(5, 9)


def test_patience_lets_it_look_on_for_so_much_longer() -> None:
    """Where a node need not have heard of it at once."""
    states = possible_on([call(Effect.TAKES, 1, 2)], patience=0.5)
    assert states.within(2.4, 9)
    assert not states.within(2.6, 9)


_calls = st.builds(
    lambda effect, begin, length, outcome, subject: call(effect, begin, begin + length, outcome, subject),
    st.sampled_from((Effect.GIVES, Effect.TAKES)),
    st.integers(0, 12),
    st.integers(0, 6),
    st.sampled_from(Outcome),
    st.sampled_from("xy"),
)


@settings(max_examples=400, deadline=None)
@given(calls=st.lists(_calls, max_size=5), begin=st.integers(0, 14), length=st.integers(0, 5))
def test_agrees_with_every_order_tried_out(calls: list[Operation], begin: int, length: int) -> None:
    """Two things at once, at one moment: possible exactly where some order of the calls has both of them on."""
    states = [possible_on([call for call in calls if call.subject == subject]) for subject in "xy"]
    assert at_the_same_time(states, begin, begin + length) == _some_order_explains(calls, begin, begin + length)


def _some_order_explains(calls: list[Operation], begin: float, end: float) -> bool:
    """Try every order of the calls and one look at both subjects, with and without the calls of unknown outcome."""
    certain = [call for call in calls if call.outcome is Outcome.DONE]
    unknown = [call for call in calls if call.outcome is Outcome.UNKNOWN]
    chosen = chain.from_iterable(combinations(unknown, count) for count in range(len(unknown) + 1))
    look = (begin, end)
    for some in chosen:
        happened: list[Operation | None] = [*certain, *some, None]  # None is the look
        for order in permutations(happened):
            spans = [look if item is None else (item.begin, item.latest) for item in order]
            if any(spans[later][1] < spans[sooner][0] for later in range(len(spans)) for sooner in range(later)):
                continue
            on = {"x": True, "y": True}
            for item in order:
                if item is None:
                    break
                on[item.subject] = item.effect is Effect.GIVES
            if all(on.values()):
                return True
    return False
