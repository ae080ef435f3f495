"""Our verifier, PyJWT and joserfc over mutants of valid tokens. `make differential` shows them a million."""

import pytest

from tests.verifying.differential.compare import Comparison
from tests.verifying.differential.explanations import PASSED_OVER
from tests.verifying.differential.faults import FAULTS, read
from tests.verifying.differential.keys import SigningKey, encoded
from tests.verifying.differential.mutants import mutant, published_keys
from tests.verifying.differential.oracles import joserfc, ours, pyjwt
from tests.verifying.issued import as_bytes, good_claims

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

SEED = 20_261_125
MUTANTS = 6000


def test_every_disagreement_is_explained() -> None:
    """We accept exactly the mutants without a fault, and where a library says otherwise it is known why."""
    tally = Comparison().judge(SEED, range(MUTANTS))
    assert tally.findings == []
    assert tally.total == MUTANTS
    assert tally.verdicts["accept", "accept", "accept"] > MUTANTS // 100
    assert tally.verdicts["refuse", "refuse", "refuse"] > MUTANTS // 2


def test_disagreement_without_an_explanation_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one explanation taken away, the mutants that needed it are named, with what was done to them."""
    monkeypatch.delitem(PASSED_OVER["PyJWT"], "type")
    findings = Comparison().judge(SEED, range(300)).findings
    assert findings
    assert all("PyJWT accepts it" in finding and "'type'" in finding for finding in findings)


def test_mutants_are_the_same_in_every_run() -> None:
    """A seed and a number always make the same mutant, byte for byte."""
    assert [mutant(1, number) for number in range(100)] == [mutant(1, number) for number in range(100)]
    assert len({mutant(1, number).token for number in range(100)}) > 90
    assert mutant(1, 7).token != mutant(2, 7).token
    assert published_keys()[0].kid == "Sua2IRr-WhPaIAP71ELqlcb3xOgY6s_hk8f6_XOEezc"


def test_every_fault_is_made() -> None:
    """The mutants have each fault that the contract knows, and each that a library passes over is one of those."""
    seen: set[str] = set()
    for number in range(4000):
        seen |= read(mutant(SEED, number)).faults
    assert seen == set(FAULTS)
    assert all(known.keys() <= set(FAULTS) for known in PASSED_OVER.values())


@pytest.mark.parametrize("key", published_keys(), ids=lambda key: key.algorithm)
def test_all_three_accept_what_the_mutants_start_from(key: SigningKey) -> None:
    """A token without any mutation is good to all three, with each algorithm."""
    header = {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid}
    message = f"{encoded(as_bytes(header))}.{encoded(as_bytes(good_claims()))}"
    token = f"{message}.{encoded(key.sign(message.encode()))}"
    for oracle in (ours(), pyjwt(), joserfc()):
        assert oracle(token).claims == good_claims()
