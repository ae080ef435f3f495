"""The broken variants follow the code, and each names the promises that it breaks. ``make test-faults`` runs them."""

import inspect

from tests.nodes import checker, ending, trail
from tests.nodes.broken_variants import BROKEN_VARIANTS
from tests.nodes.faults import OF_NODES, OF_POSTGRESQL


def test_every_snippet_stands_exactly_once() -> None:
    """Each can be planted into today's code: when that changes, the variant changes with it."""
    assert [mismatch for variant in BROKEN_VARIANTS.values() if (mismatch := variant.defect.mismatch())] == []


def test_there_is_one_for_each_rule_that_the_promise_rests_on() -> None:
    """The lease, the wait and the order of versions; what a token carries; and that a change lasts."""
    assert set(BROKEN_VARIANTS) == {"lease", "wait", "version", "stamp", "durable"}


def test_rules_and_faults_are_those_that_there_are() -> None:
    """A variant that names no rule of the checker could not be noticed."""
    judged_by = "".join(inspect.getsource(module) for module in (checker, ending, trail))
    kinds = [fault.kind for fault in (*OF_NODES, *OF_POSTGRESQL)]
    for variant in BROKEN_VARIANTS.values():
        assert all(f'"{rule}"' in judged_by for rule in variant.rules)
        assert all(any(word in kind for kind in kinds) for word in variant.only.split(","))
