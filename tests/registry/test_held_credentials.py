"""What a node holds of credentials, and until when it goes by it."""

import tracemalloc

import pytest

from sensos_auth.registry import held_credentials
from sensos_auth.registry.credentials import Credential, NotHeld
from sensos_auth.registry.held_credentials import NEW_SECRETS, HeldCredentials
from sensos_auth.registry.lease import LEASE, Confirmed, Lease

START = 1000.0
_A = Credential("sec_a", "app_a", "ten_a", None, None, "read", None, None, 5, 2)


class Node:
    """A node's lease and what it holds, and its clock."""

    def __init__(self, *, most: int = 100) -> None:
        self.now = START
        self.lease = Lease()
        self.held = HeldCredentials(self.lease, lambda: self.now, most=most)

    def confirm(self, version: int, signing_keys_version: int = 2) -> None:
        """Confirm the version, asked for and answered now."""
        self.lease.confirm(Confirmed(version, signing_keys_version, self.now + LEASE))

    def holds(self, number: int) -> bool:
        """Tell whether the digest of that number is held."""
        try:
            self.held.find(_digest(number))
        except NotHeld:
            return False
        return True


def _digest(number: int) -> bytes:
    return number.to_bytes(32)


@pytest.fixture
def node() -> Node:
    """Return a node that holds one credential, read just now at version 5, and one digest that nobody has."""
    node = Node()
    node.held.keep(_digest(1), _A, 5, START)
    node.held.keep(_digest(2), None, 5, START)
    return node


def test_what_was_never_read_is_not_held(node: Node) -> None:
    """Nothing is made up."""
    assert not node.holds(3)


def test_what_was_read_is_good_for_a_lease_by_itself(node: Node) -> None:
    """From before it was asked for, also where nothing was ever confirmed; of the version that it was read at."""
    node.now = START + LEASE - 0.001
    assert node.held.find(_digest(1)) == _A
    assert node.held.find(_digest(2)) is None
    node.now = START + LEASE
    assert not node.holds(1)
    assert not node.holds(2)


def test_what_took_long_to_read_is_good_for_less(node: Node) -> None:
    """The time of the answer does not count: of one that took a lease nothing is left."""
    node.now = START + LEASE
    node.held.keep(_digest(3), _A, 6, START)
    assert not node.holds(3)
    node.held.keep(_digest(4), _A, 6, START + 0.2)
    assert node.holds(4)
    node.now = START + 0.2 + LEASE
    assert not node.holds(4)


def test_what_stands_unchanged_is_of_the_version_that_was_confirmed_last(node: Node) -> None:
    """For as long as that is confirmed, and as what a token says that it was issued at."""
    node.now += 60
    node.confirm(9, signing_keys_version=7)
    assert node.held.find(_digest(1)) == _A._replace(version=9, signing_keys_version=7)
    assert node.held.find(_digest(2)) is None
    node.now += LEASE
    assert not node.holds(1)
    node.confirm(10)
    assert node.holds(1)


def test_what_was_read_after_the_confirmation_keeps_its_version() -> None:
    """It may be of a state that the confirmation knows nothing of."""
    node = Node()
    node.confirm(4)
    node.held.keep(_digest(1), _A, 5, START)
    assert node.held.find(_digest(1)) == _A


@pytest.mark.parametrize("subject", ["app_a", "ten_a", "sec_a"])
def test_what_was_changed_is_not_held_any_more(node: Node, subject: str) -> None:
    """Its application, its tenant or itself: from the moment that the node has heard of it, confirmed or not."""
    node.confirm(5)
    node.lease.note_change(subject, 6)
    assert not node.holds(1)
    assert node.holds(2)
    node.confirm(6)
    assert not node.holds(1)
    node.held.keep(_digest(1), _A._replace(version=6), 6, START)
    assert node.holds(1)


def test_changes_of_others_change_nothing(node: Node) -> None:
    """That is what they are told apart for."""
    node.lease.note_change("app_b", 6)
    node.confirm(6)
    assert node.holds(1)


def test_change_everywhere(node: Node) -> None:
    """What was read before it is not held any more; what is read at it, is."""
    node.lease.note_changes_everywhere(6)
    node.confirm(6)
    assert not node.holds(1)
    assert not node.holds(2)
    node.held.keep(_digest(1), _A, 6, START)
    assert node.holds(1)


def test_new_secret_may_be_one_that_was_unknown(node: Node) -> None:
    """Nobody knows which."""
    node.lease.note_change(NEW_SECRETS, 6)
    assert node.holds(1)
    assert not node.holds(2)


def test_answer_that_was_on_its_way_when_something_changed(node: Node) -> None:
    """It was read before the change and comes after it was heard of: it is not good enough."""
    node.lease.note_change("app_a", 7)
    node.confirm(7)
    node.held.keep(_digest(1), _A._replace(version=6), 6, START)
    assert not node.holds(1)


def test_secret_that_went_and_one_that_came(node: Node) -> None:
    """The later reading counts, whichever way it is."""
    node.held.keep(_digest(1), None, 6, START)
    assert node.held.find(_digest(1)) is None
    node.held.keep(_digest(1), _A, 7, START)
    assert node.held.find(_digest(1)) == _A


@pytest.mark.parametrize("is_confirmed", [False, True], ids=["by-itself", "confirmed"])
def test_z46_process_that_was_stopped_goes_by_nothing(node: Node, *, is_confirmed: bool) -> None:
    """Between finding and the end of the signing: what was found is no longer good, and the token is thrown away."""
    if is_confirmed:
        node.confirm(9)
    node.held.find(_digest(1))
    node.held.check_still_good()
    node.now += LEASE
    with pytest.raises(NotHeld):
        node.held.check_still_good()


def test_z46_confirmation_of_meanwhile_does_not_help(node: Node) -> None:
    """What was found was good by the earlier one. There may be a change in the later one."""
    node.confirm(9)
    node.held.find(_digest(1))
    node.now += LEASE
    node.confirm(10)
    with pytest.raises(NotHeld):
        node.held.check_still_good()


def test_a24_unknown_ones_push_out_no_known_one() -> None:
    """Whoever makes up secrets fills a room of its own."""
    node = Node(most=10)
    node.confirm(5)
    for number in range(10):
        node.held.keep(_digest(number), _A, 5, START)
    for number in range(100, 10_000):
        node.held.keep(_digest(number), None, 5, START)
    assert sum(map(node.holds, range(5, 10))) == 5


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are read; the latest are held."""
    monkeypatch.setattr(held_credentials, "MOST_UNKNOWN", 20)
    node = Node(most=100)
    node.confirm(5)
    for number in range(1_000):
        node.held.keep(_digest(number), _A, 5, START)
        node.held.keep(_digest(5_000 + number), None, 5, START)
    assert 50 <= sum(map(node.holds, range(1_000))) <= 100
    assert 10 <= sum(map(node.holds, range(5_000, 6_000))) <= 20
    assert all(map(node.holds, range(950, 1_000)))


def test_what_is_used_stays() -> None:
    """Others come and go."""
    node = Node(most=100)
    node.confirm(5)
    node.held.keep(_digest(0), _A, 5, START)
    for number in range(1, 10_000):
        node.held.keep(_digest(number), _A, 5, START)
        assert node.holds(0)


def test_reading_again_what_is_held_pushes_nothing_out() -> None:
    """A node whose lease is out reads all that is asked for anew: that makes no more of it."""
    node = Node(most=100)
    node.confirm(5)
    for _ in range(20):
        for number in range(50):
            node.held.keep(_digest(number), _A, 5, START)
        assert all(map(node.holds, range(50)))


def test_forty_thousand_take_less_than_forty_mib() -> None:
    """As PostgreSQL's driver gives them, each with texts and numbers of its own. By Python's own counting."""
    tracemalloc.start()
    node = Node(most=held_credentials.MOST_HELD)
    for number in range(held_credentials.MOST_HELD):
        version = 1_800_000_000_000 + number
        credential = Credential(
            secret_id=f"sec_{number:026d}",
            application_id=f"app_{number:026d}",
            tenant_id=f"ten_{number:026d}",
            expires_at=1_900_000_000 + number,
            withdrawn_at=None,
            scope=f"devices:read devices:write orders:{number}",
            lifetime=None,
            audience=None,
            version=version,
            signing_keys_version=version - 5,
        )
        node.held.keep(_digest(number), credential, version, START + number)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 40 * 2**20
