"""Workers that share their buckets, against one bucket from which all tokens were taken, whatever the order."""

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from sensos_auth.server.shared_buckets import Batch, SharedBuckets, Told
from sensos_auth.server.token_buckets import Limit, TokenBuckets

_SECOND, _MILLISECOND, _MICROSECOND = 1_000_000_000, 1_000_000, 1_000
_WORKERS = 3
_limits = st.builds(Limit, st.integers(1, 200), st.sampled_from([1, 60, 3600]), st.integers(1, 20))
# Nanoseconds until something happens, who does it, and whether he takes or shares.
_events = st.lists(
    st.tuples(
        st.integers(0, 100 * _MILLISECOND), st.integers(0, _WORKERS - 1), st.sampled_from(["take", "take", "share"])
    ),
    max_size=120,
)


class Clock:
    """Nanoseconds that pass when they are told to."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 123_456_789

    def __call__(self) -> int:
        """Return the nanoseconds so far."""
        return self.now


class Server:
    """One bucket on a server, which does what the script of the real one does, by a clock that is set elsewhere."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock; the server's own shows another time."""
        self._clock = clock
        self.full_at = 0  # microseconds

    def add(self, told: list[Told]) -> list[int]:
        """Return what the one bucket lacks after that, in microseconds."""
        now = self._clock.now // _MICROSECOND
        for each in told:
            is_kept = self.full_at > now - 1_000_000
            self.full_at = max(now + each.lacks, self.full_at + each.taken if is_kept else 0)
        return [self.full_at - now for _ in told]


@dataclass
class Worker:
    """A worker with one bucket."""

    buckets: TokenBuckets
    shared: SharedBuckets
    taken: list[int] = field(default_factory=list)  # when
    untold: list[int] = field(default_factory=list)
    unknown: int = 0  # tokens that others took and that it has not heard of

    def share(self, server: Server) -> bool:
        """Exchange, in no time; tell whether there was something to tell."""
        batch = self.shared.collect()
        self.shared.take_in(batch, server.add(batch.told))
        return bool(batch.told)


def worker(limit: Limit, clock: Clock) -> Worker:
    """Return a worker with a full bucket."""
    buckets = TokenBuckets(limit, clock=clock)
    return Worker(buckets, SharedBuckets(buckets))


class Together:
    """Workers that share a bucket, and all that is true of it."""

    def __init__(self, limit: Limit) -> None:
        """Begin with a full bucket."""
        self.limit = limit
        self.clock = Clock()
        self.server = Server(self.clock)
        self.workers = [worker(limit, self.clock) for _ in range(_WORKERS)]
        self.exchanges = self.longest = 0  # how many, and how long a token was not told of

    def take(self, one: Worker) -> None:
        """Let one take a token if it may. It overdraws the true bucket only by what it can't have heard of."""
        if one.buckets.take("a") != 0:
            return
        one.taken.append(self.clock.now)
        one.untold.append(self.clock.now)
        for other in self.workers:
            other.unknown += other is not one
        each = self.limit.seconds * _SECOND
        assert self.truly_lacking() <= (self.limit.burst + one.unknown) * each + self.rounding()

    def share(self, one: Worker) -> None:
        """Let one share."""
        self.exchanges += 1
        self.longest = max([self.longest, *(self.clock.now - at for at in one.untold)])
        one.untold = []
        if one.share(self.server):
            one.unknown = sum(len(other.untold) for other in self.workers)

    def check_server(self) -> None:
        """Compare the server's bucket with the true one, when all have told everything."""
        true = max(0, self.truly_lacking())
        kept = max(0, self.server.full_at - self.clock.now // _MICROSECOND) * _MICROSECOND * self.limit.count
        assert true - self.rounding() <= kept <= true + self.longest * self.limit.count + self.rounding()

    def truly_lacking(self) -> int:
        """Return what one bucket lacks from which all took, in nanoseconds times the limit's count."""
        full_at = 0
        for at in sorted(at for one in self.workers for at in one.taken):
            full_at = max(full_at, at * self.limit.count) + self.limit.seconds * _SECOND
        return full_at - self.clock.now * self.limit.count

    def rounding(self) -> int:
        """Return by how much it may be off: a microsecond for each exchange."""
        return (self.exchanges + 1) * _MICROSECOND * self.limit.count


@given(_limits, _events)
@example(
    Limit(42, 1, 1), [(0, n // 2, ["take", "share"][n % 2]) for n in range(6)] + [(10**8, 2, "take")]
)  # owing more
@example(Limit(186, 1, 1), [(0, 0, "take"), (0, 1, "take"), (5_376_345, 1, "take")])  # full again, and not told yet
def test_the_shared_bucket_is_one_that_all_took_from(limit: Limit, events: list[tuple[int, int, str]]) -> None:
    """Never fuller than that, and emptier by the time of an exchange at most; who takes too much could not know it."""
    all_of_them = Together(limit)
    for pause, number, action in events:
        all_of_them.clock.now += pause
        for one in all_of_them.workers:
            if any(all_of_them.clock.now - at > 800 * _MILLISECOND for at in one.untold):
                all_of_them.share(one)
        if action == "share":
            all_of_them.share(all_of_them.workers[number])
        else:
            all_of_them.take(all_of_them.workers[number])
    for one in all_of_them.workers:
        all_of_them.share(one)
    all_of_them.check_server()


@given(_limits, st.lists(st.tuples(st.integers(0, _SECOND), st.integers(-1, 10**9)), max_size=100))
def test_sharing_never_gives_more_than_a_worker_alone_would(limit: Limit, events: list[tuple[int, int]]) -> None:
    """Whatever the server says: at no moment were more tokens taken than from buckets that nobody shares."""
    clock = Clock()
    one, alone = worker(limit, clock), TokenBuckets(limit, clock=clock)
    taken = taken_alone = 0
    for pause, said in events:
        clock.now += pause
        taken += one.buckets.take("a") == 0
        taken_alone += alone.take("a") == 0
        assert taken <= taken_alone
        if said >= 0:
            batch = one.shared.collect()
            before = one.buckets.full_at("a")
            one.shared.take_in(batch, [said] * len(batch.told))
            assert one.buckets.full_at("a") >= before


@given(_limits, st.lists(st.tuples(st.integers(0, 300 * _MILLISECOND), st.booleans()), max_size=150))
def test_who_is_alone_on_the_server_loses_nothing(limit: Limit, events: list[tuple[int, bool]]) -> None:
    """It gets what it got by itself, but for what is rounded: a microsecond for each exchange."""
    clock = Clock()
    server, one, alone = Server(clock), worker(limit, clock), TokenBuckets(limit, clock=clock)
    exchanges = 0
    for pause, shares in events:
        clock.now += pause
        if shares:
            one.share(server)
            exchanges += 1
        gets, gets_alone = one.buckets.take("a") == 0, alone.take("a") == 0
        if gets != gets_alone:
            assert gets_alone
            clock.now += (exchanges + 1) * _MICROSECOND
            assert one.buckets.take("a") == 0
            return


def test_what_is_late_on_the_way_does_not_add_up() -> None:
    """A server that is now near and now far: it gives ten tokens a second for a minute, as without it."""
    clock = Clock()
    limit = Limit(10, 1, 1)
    server, one = Server(clock), worker(limit, clock)
    given_out = 0
    for tick in range(6_000):
        clock.now += 10 * _MILLISECOND
        given_out += one.buckets.take("a") == 0
        if tick % 10 == 5:
            batch = one.shared.collect()
            clock.now += (tick % 20 > 10) * 3 * _MILLISECOND
            one.shared.take_in(batch, server.add(batch.told))
    assert given_out >= 580


def test_what_was_taken_while_an_answer_was_on_its_way_counts() -> None:
    """It is lacking as well, beside what the others took."""
    clock = Clock()
    one = worker(Limit(1, 3600, 10), clock)
    assert one.buckets.take("a") == 0
    batch = one.shared.collect()
    assert [one.buckets.take("a") for _ in range(2)] == [0, 0]
    one.shared.take_in(batch, [5 * 3600 * 1_000_000])  # four of others
    assert [one.buckets.take("a") == 0 for _ in range(4)] == [True] * 3 + [False]


def test_after_a_long_silence_only_what_is_still_lacking_is_told() -> None:
    """What was taken an hour ago has come back; the server, which kept what it knew, must not count it again."""
    clock = Clock()
    one = worker(Limit(10, 1, 20), clock)
    for _ in range(1000):
        clock.now += 100 * _MILLISECOND
        assert one.buckets.take("a") == 0
    (told,) = one.shared.collect().told
    assert told.taken == 10 * 100_000 + 100_000  # the last second's
    assert told.lacks == 100_000


def test_server_that_has_forgotten_a_bucket_hears_of_it_again() -> None:
    """All but a second of it, with the next token."""
    clock = Clock()
    server, one = Server(clock), worker(Limit(1, 60, 10), clock)
    for _ in range(5):
        assert one.buckets.take("a") == 0
    one.share(server)
    server.full_at = 0
    assert one.buckets.take("a") == 0
    one.share(server)
    assert server.full_at - clock.now // _MICROSECOND == (6 * 60 - 1) * 1_000_000


def test_p08_takes_that_nobody_is_told_of_are_bounded() -> None:
    """While the server is away: the latest are kept."""
    clock = Clock()
    buckets = TokenBuckets(Limit(1, 3600, 20), clock=clock)
    shared = SharedBuckets(buckets, most=10)
    for name in range(100):
        assert buckets.take(name) == 0
    assert [each.key for each in shared.collect().told] == list(range(90, 100))
    assert shared.collect() == Batch(clock.now, [])
