"""A short run of the fault test, as ``make test-faults`` does it for longer: nothing is broken that was promised."""

import random

import pytest

from tests.nodes.run import Plan, carry_out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_promise_holds_while_everything_breaks() -> None:
    """Three nodes, a dozen faults, a hundred operations; the seed is printed."""
    seed = random.SystemRandom().randrange(1_000_000)
    assert carry_out(Plan(operations=100, faults=12, seed=seed, seconds=90.0)) == []
