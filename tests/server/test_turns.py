import threading

from sensos_auth.server.turns import Turns


def test_parties_take_turns() -> None:
    """Each party's items come in order, and one of each party before the next of any."""
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.put(item[0], item)
    assert (len(turns), turns.waiting_of("a"), turns.waiting_of("x")) == (6, 3, 0)
    assert [turns.take() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert (len(turns), turns.waiting_of("a")) == (0, 0)


def test_h06_newcomer_waits_for_one_item_of_each() -> None:
    """However many items the others have."""
    turns: Turns[str] = Turns()
    for number in range(1000):
        turns.put("greedy", f"greedy {number}")
    turns.take()
    turns.put("modest", "modest")
    assert [turns.take() for _ in range(2)] == ["greedy 1", "modest"]


def test_who_waits_gets_what_comes() -> None:
    """From another thread."""
    turns: Turns[str] = Turns()
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.extend([turns.take(), turns.take()]))
    thread.start()
    turns.put("a", "late")
    turns.end()
    thread.join(5)
    assert taken == ["late", None]


def test_what_is_there_at_the_end_is_still_taken() -> None:
    """And then there is nothing."""
    turns: Turns[str] = Turns()
    turns.put("a", "last")
    turns.end()
    assert [turns.take(), turns.take()] == ["last", None]
