"""What is counted for each token request, in memory that does not grow with what clients send."""

import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.model.identifiers import new_application_id, new_secret_id
from sensos_auth.registry.credentials import Credential
from sensos_auth.server.usage_counter import MOST_REFUSED, Count, UsageCounter

START = 1_800_000_000  # UTC seconds, the beginning of a minute
MINUTE = START // 60


def credential(secret_id: str, application_id: str = "app_a") -> Credential:
    """Return a credential as far as it is counted."""
    return Credential(secret_id, application_id, "ten_a", None, None, "", None, None, 1, 1)


def test_tokens_are_counted_by_secret_and_minute() -> None:
    """With the lifetime of those that do not live as long as most: of the one that lives longest."""
    counter = UsageCounter(60)
    for now, secret_id, lifetime in (
        (START, "sec_a", 600),
        (START + 7, "sec_a", 300),
        (START + 8, "sec_b", 60),
        (START + 60, "sec_a", 60),
    ):
        counter.count_token(credential(secret_id), now, lifetime)
    assert counter.take() == [
        Count(MINUTE, Counter({"app_a/sec_a": 2, "app_a/sec_b": 1}), {"app_a/sec_a": 600}),
        Count(MINUTE + 1, Counter({"app_a/sec_a": 1})),
    ]
    assert counter.take() == []


def test_refusals_are_counted_by_the_application_that_was_named() -> None:
    """Whatever is not written like an application's ID goes to one common count."""
    counter = UsageCounter(60)
    named = new_application_id()
    for name in (named, named, "", "app_", named.upper(), f"{named}a", new_secret_id(), "app_ä", "app_" + "a" * 200):
        counter.count_refusal(name, START)
    assert counter.take() == [Count(MINUTE, refusals={named: 2, "": 7})]


def test_p08_refusals_that_name_ever_other_applications_take_bounded_memory() -> None:
    """The first few thousand are counted each by itself, and all are counted."""
    counter = UsageCounter(60)
    names = [new_application_id() for _ in range(MOST_REFUSED + 500)]
    for name in [*names, names[0], names[-1]]:
        counter.count_refusal(name, START)
    (count,) = counter.take()
    assert len(count.refusals) == MOST_REFUSED + 1
    assert count.refusals[""] == 501
    assert count.refusals[names[0]] == 2
    assert sum(count.refusals.values()) == len(names) + 2


def test_a_minute_is_given_out_when_it_is_over() -> None:
    """And a count that was given out is not counted twice."""
    counter = UsageCounter(60)
    counter.count_token(credential("sec_a"), START + 59, 60)
    assert counter.take(START + 59) == []
    assert counter.take(START + 60) == [Count(MINUTE, Counter({"app_a/sec_a": 1}))]
    assert counter.take(START + 60) == []


def test_p08_many_secrets_close_a_count_early_and_say_so() -> None:
    """The next token begins another one of the same minute. Some more than that may have been noted meanwhile."""
    told: list[Count] = []
    counter = UsageCounter(60, lambda: told.extend(counter.take(START)), most_secrets=3_000)
    for number in range(9_000):
        counter.count_token(credential(f"sec_{number}"), START, 60)
    sizes = [len(count.tokens) for count in told]
    assert len(sizes) == 2
    assert all(3_000 <= size <= 5_000 for size in sizes)
    assert sum(sizes) + sum(len(count.tokens) for count in counter.take()) == 9_000


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from("abc"), st.booleans()), max_size=60))
def test_nothing_is_lost_whatever_the_clock_does(requests: list[tuple[int, str, bool]]) -> None:
    """Also when it is set back: each token is in the minute that it was issued in, and none is anywhere twice."""
    counter = UsageCounter(60, most_secrets=2)
    taken: list[Count] = []
    expected: dict[tuple[int, str], int] = {}
    for seconds, secret_id, is_taken in requests:
        counter.count_token(credential(secret_id), START + seconds, 60)
        place = ((START + seconds) // 60, secret_id)
        expected[place] = expected.get(place, 0) + 1
        if is_taken:
            taken += counter.take(START + seconds)
    found: dict[tuple[int, str], int] = {}
    for count in [*taken, *counter.take()]:
        for key, tokens in count.tokens.items():
            place = (count.minute, key.removeprefix("app_a/"))
            found[place] = found.get(place, 0) + tokens
    assert found == expected


def test_nothing_is_lost_while_another_thread_takes() -> None:
    """Between the one that counts and the one that writes."""
    counter = UsageCounter(60, most_secrets=50)
    number = 100_000
    taken: list[Count] = []
    ended = threading.Event()

    def take() -> None:
        while not ended.is_set():
            taken.extend(counter.take(START + 30))

    taker = threading.Thread(target=take)
    taker.start()
    for count in range(number):
        counter.count_token(credential(f"sec_{count % 100}"), START + count // 10_000, 60)
        counter.count_refusal("x", START)
    ended.set()
    taker.join()
    counts = [*taken, *counter.take()]
    assert sum(count.tokens.total() for count in counts) == number
    assert sum(count.refusals[""] for count in counts if count.refusals) == number
