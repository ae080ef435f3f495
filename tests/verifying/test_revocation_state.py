import copy
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation import Provenance, RevocationKind, subject_digest
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.verifying import revocation_state
from sensos_auth.verifying.revocation_state import RevocationState

if TYPE_CHECKING:
    from _typeshed import TraceFunction

NOW = 1_800_000_000
FEW = ["a", "b", "c", "d"]
TOKEN, CREDENTIAL, APPLICATION, TENANT, SIGNING_KEY = RevocationKind


def a_token(identifier: str = "a", version: int = 5) -> Provenance:
    """Return a token all of whose origins have the same name."""
    return Provenance(identifier, identifier, identifier, identifier, identifier, version)


def a_page(**entries: object) -> RevocationPage:
    """Return a page with these members."""
    return RevocationPage(**({"issuer": "i", "since": 0, "version": 9, "as_of": NOW} | entries))  # type: ignore[arg-type]


@dataclass
class Model:
    """What a state should know, the plain way: the tuples that a page is written from."""

    voided: dict[tuple[RevocationKind, str], tuple[int, int]] = field(default_factory=dict)

    def apply(self, entries: list[tuple[RevocationKind, str, int, int]], now: int) -> None:
        """Take in the entries, as a page does."""
        for kind, identifier, void_before, ends_at in entries:
            if ends_at > now:
                held = self.voided.get((kind, identifier), (0, 0))
                self.voided[kind, identifier] = max(held[0], void_before), max(held[1], ends_at)

    def forget_ended(self, now: int) -> None:
        """Let go of what has ended."""
        self.voided = {subject: entry for subject, entry in self.voided.items() if entry[1] > now}

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void."""
        return (
            (TOKEN, token.token_id) in self.voided
            or (SIGNING_KEY, token.kid) in self.voided
            or token.version < self.voided.get((CREDENTIAL, token.credential_id), (0, 0))[0]
            or token.version < self.voided.get((APPLICATION, token.application_id), (0, 0))[0]
            or token.version < self.voided.get((TENANT, token.tenant_id), (0, 0))[0]
        )


def written(entries: list[tuple[RevocationKind, str, int, int]], version: int, as_of: int = NOW) -> RevocationPage:
    """Return the page that says the same."""

    def of(wanted: RevocationKind) -> list[tuple[bytes, int, int]]:
        return [(subject_digest(kind, name), before, end) for kind, name, before, end in entries if kind is wanted]

    return a_page(
        version=version,
        as_of=as_of,
        tokens=[(end, digest) for digest, _, end in of(TOKEN)],
        credentials=of(CREDENTIAL),
        applications=of(APPLICATION),
        tenants=of(TENANT),
        signing_keys=[(digest, end) for digest, _, end in of(SIGNING_KEY)],
    )


ENTRIES = st.lists(
    st.tuples(st.sampled_from(RevocationKind), st.sampled_from(FEW), st.integers(1, 9), st.integers(NOW - 2, NOW + 9)),
    max_size=8,
)
TOKENS = st.builds(Provenance, *[st.sampled_from(FEW)] * 5, st.integers(0, 9))


class TestRevocationState:
    """Pages in, answers out."""

    @given(st.lists(st.tuples(ENTRIES, st.integers(0, 4), st.booleans()), max_size=8), st.lists(TOKENS, max_size=8))
    @settings(max_examples=50, deadline=None)
    def test_says_what_a_plain_dictionary_would_say(
        self, steps: list[tuple[list[tuple[RevocationKind, str, int, int]], int, bool]], asked: list[Provenance]
    ) -> None:
        """Whatever pages come, while time goes on and what ended is forgotten; and its own page makes an equal one."""
        now = NOW
        state, model = RevocationState(), Model()
        for version, (entries, passed, forget) in enumerate(steps):
            now += passed
            generation, known = state.generation, dict(model.voided)
            state.apply(written(entries, version, now))
            model.apply(entries, now)
            assert (state.generation > generation) >= (model.voided.keys() != known.keys())
            if forget:
                state.forget_ended(now)
                model.forget_ended(now)
            assert state.entries() == len(model.voided)
            assert [state.voids(token) for token in asked] == [model.voids(token) for token in asked]
        state.forget_ended(state.as_of)
        again = RevocationState()
        again.apply(state.as_page("i"))
        assert again.as_page("i") == state.as_page("i")

    @given(st.permutations(range(4)), st.lists(ENTRIES, min_size=4, max_size=4))
    @settings(max_examples=50, deadline=None)
    def test_the_order_and_repetition_of_pages_change_nothing(
        self, order: list[int], pages: list[list[tuple[RevocationKind, str, int, int]]]
    ) -> None:
        """A page twice, and late, or before its time: the same is void in the end."""
        first, second = RevocationState(), RevocationState()
        for index in range(4):
            first.apply(written(pages[index], index))
        for index in [*order, *order]:
            second.apply(written(pages[index], index))
        assert first.as_page("i") == second.as_page("i")

    def test_a_page_with_nothing_new_keeps_the_generation(self) -> None:
        """So that no verdict is asked about again."""
        state = RevocationState()
        page = written([(TOKEN, "a", 0, NOW + 60), (TENANT, "b", 3, NOW + 60)], 9)
        state.apply(page)
        assert state.generation == 1
        state.apply(page)
        state.apply(a_page(version=12))
        assert (state.generation, state.version) == (1, 12)

    def test_the_version_never_goes_down(self) -> None:
        """An older page says nothing about how much is known."""
        state = RevocationState()
        state.apply(a_page(version=12))
        state.apply(a_page(version=3))
        assert state.version == 12

    def test_a_later_void_before_counts_and_an_earlier_one_does_not_lower_it(self) -> None:
        """Disabled twice: all tokens before the second time are void, whichever entry comes last."""
        state = RevocationState()
        for void_before in (4, 7, 5):
            state.apply(written([(APPLICATION, "a", void_before, NOW + 60)], 9))
        assert [state.voids(a_token(version=version)) for version in (3, 6, 7, 8)] == [True, True, False, False]

    @pytest.mark.parametrize("kind", [TOKEN, SIGNING_KEY])
    def test_a_token_and_a_key_are_void_whatever_version_is_claimed(self, kind: RevocationKind) -> None:
        """Who stole a key writes any version into the tokens made with it."""
        state = RevocationState()
        state.apply(written([(kind, "a", 0, NOW + 60)], 9))
        assert state.voids(a_token(version=(1 << 63) - 2))
        assert not state.voids(a_token("b"))

    def test_kinds_are_not_confused(self) -> None:
        """An application's entry says nothing about a tenant with the same identifier."""
        state = RevocationState()
        state.apply(written([(APPLICATION, "a", 9, NOW + 60)], 9))
        assert not state.voids(a_token("b")._replace(tenant_id="a", token_id="a", credential_id="a", kid="a"))

    def test_a_digest_is_found_only_where_a_record_begins(self) -> None:
        """Bytes that happen to lie across two records, or in an end, void nothing."""
        state = RevocationState()
        record = b"\0\0" + bytes(range(14))
        state.apply(a_page(as_of=0, tokens=[(0x0E0F1011, record), (0x01020304, b"\0\0" + b"\x05" * 14)]))
        across = bytes(range(2, 16)), bytes((14, 15, 16, 17)) + b"\x05" * 10, b"\x11" + b"\x05" * 13
        for rest in across:
            assert not state._voids_token(b"\0\0" + rest)
        assert state._voids_token(record)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tokens": [(NOW + 60, b"x" * 17)]},
            {"tenants": [(b"x" * 15, 3, NOW + 60)]},
            {"signing_keys": [(b"", NOW + 60)]},
        ],
    )
    def test_a_malformed_page_is_refused_whole(self, wrong: dict[str, object]) -> None:
        """Nothing of it is taken in, and the version stays."""
        state = RevocationState()
        with pytest.raises(InvalidInput):
            state.apply(a_page(**{"applications": [(b"y" * 16, 3, NOW + 60)]} | wrong))
        assert (state.version, state.generation, state.entries()) == (0, 0, 0)

    def test_z53_what_has_ended_is_told_by_the_pages_own_time(self) -> None:
        """Not by a clock of this machine, which may be wrong for a while: what it passes over never comes again."""
        state = RevocationState()
        state.apply(written([(TOKEN, "a", 0, NOW + 60), (TOKEN, "b", 0, NOW + 61)], 9, as_of=NOW + 60))
        assert [state.voids(a_token(name)) for name in ("a", "b")] == [False, True]
        assert state.as_of == NOW + 60

    def test_z54_an_issuers_clock_that_ran_ahead_takes_nothing_out(self) -> None:
        """Once it is right again, its time is that of the last page; and what is held is held after a restart as well.

        The version is kept, so what a restart passed over would never be heard of again.
        """
        state = RevocationState()
        state.apply(written([(TOKEN, "a", 0, NOW + 1800), (TENANT, "t", 9, NOW + 1800)], 1))
        state.apply(a_page(version=2, as_of=NOW + 3600))
        again = RevocationState()
        again.apply(state.as_page("i"))
        assert (again.entries(), again.version) == (2, 2)
        state.apply(a_page(version=3, as_of=NOW + 5))
        state.forget_ended(state.as_of)
        assert (state.entries(), state.as_of) == (2, NOW + 5)

    def test_a_fork_in_the_middle_of_a_page_hides_no_token(self) -> None:
        """At whichever line: the child has the same page again, and the token stays void until its later end."""
        shorter, longer = (written([(TOKEN, "a", 0, NOW + end)], end) for end in (60, 120))
        state = RevocationState()
        state.apply(shorter)
        children: list[RevocationState] = []

        def fork(frame: FrameType, event: str, _: object) -> "TraceFunction":
            if frame.f_code.co_filename == revocation_state.__file__ and event == "line":
                children.append(copy.deepcopy(state))
            return fork

        before = sys.gettrace()
        sys.settrace(fork)
        try:
            state.apply(longer)
        finally:
            sys.settrace(before)
        assert len(children) > 10
        for child in children:
            child.apply(longer)
            child.forget_ended(NOW + 60)
            assert child.voids(a_token())
            child.forget_ended(NOW + 120)
            assert (child.voids(a_token()), child.entries()) == (False, 0)

    def test_the_end_may_be_after_2106(self) -> None:
        """Z56: an end that four bytes can't hold counts as the last one they can."""
        state = RevocationState()
        state.apply(written([(TOKEN, "a", 0, 253_402_300_799)], 9))
        state.forget_ended(4_294_967_294)
        assert state.voids(a_token())

    def test_threads_that_ask_never_miss_what_was_there_before(self) -> None:
        """One applies and forgets without pause, others ask without a lock, and get the right answer each time."""
        now = NOW
        state = RevocationState()
        lasting = [(TOKEN, "a", 0, NOW + 10_000), (TENANT, "b", 9, NOW + 10_000)]
        state.apply(written([*lasting], 1))
        misses: list[str] = []
        done = threading.Event()

        def ask(identifier: str) -> Callable[[], None]:
            def run() -> None:
                while not done.is_set():
                    if not state.voids(a_token(identifier)):
                        misses.append(identifier)

            return run

        threads = [threading.Thread(target=ask(identifier)) for identifier in ("a", "b")]
        for thread in threads:
            thread.start()
        for step in range(40):
            now += 1
            names = [f"{step}-{number}" for number in range(200)]
            state.apply(written([(TOKEN, name, 0, now + 2) for name in names], step, now))
            if step % 10 == 0:
                state.forget_ended(now)
        done.set()
        for thread in threads:
            thread.join()
        assert misses == []

    def test_others_run_while_many_are_taken_in(self) -> None:
        """A thread that wants to go on has to wait for a millisecond or so, not for the interpreter's five each time.

        For an event loop that is each of its rounds. The same holds when many are let go of, and when all are written.
        """
        state = RevocationState()
        done = threading.Event()
        late: dict[str, list[float]] = {}
        doing = "nothing"

        def other() -> None:
            while not done.is_set():
                began = time.perf_counter()
                time.sleep(0.0005)
                late.setdefault(doing, []).append(time.perf_counter() - began - 0.0005)

        thread = threading.Thread(target=other)
        thread.start()
        digests = os.urandom(16 * 100_000)
        doing = "take in"
        state.apply(a_page(tokens=[(NOW + 60 + second, digests[second::100]) for second in range(100)]))
        doing = "write"
        state.as_page("i")
        doing = "let go of"
        state.forget_ended(NOW + 110)
        doing = "nothing"
        done.set()
        thread.join()
        assert state.entries() == 49_000
        del late["nothing"]
        medians = {what: statistics.median(times) for what, times in late.items()}
        assert max(medians.values()) < 0.003, medians
