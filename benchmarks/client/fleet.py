"""Ten thousand sources that got their tokens in the same second: when do they renew them?

The real renewal code in one process, with a clock that is moved from one renewal to the next. A renewal is due as soon
as its source is stale, as for an application that is never idle. Beside it, the same without any spread.
"""

import argparse
import heapq
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator

from sensos_auth.client import Credentials, TokenSource
from sensos_auth.client.sending import TokenRequest
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_answer import Answer

GOAL = 2.0  # times the mean
_LIFETIMES = 4


class World:
    """A clock, chance, and a token service that answers at once."""

    def __init__(self, lifetime: int, *, is_spread: bool) -> None:
        self.now = 0.0
        self.surroundings = Surroundings(
            clock=lambda: self.now,
            random=random.Random(1).random if is_spread else lambda: 0.0,  # noqa: S311 - the same figures in each run
            start=lambda work: work(),
            send=self._send,
        )
        self._answer = Answer(200, json.dumps({"accessToken": "e", "expiresIn": lifetime}).encode())

    def _send(self, _: TokenRequest, __: float) -> Answer:
        return self._answer


def renewals(world: World, count: int, until: float) -> Iterator[float]:
    """Yield the times of all renewals after the first second."""
    credentials = Credentials("ten_a", "app_a", "sensos_sk_x")
    due: list[tuple[float, int, TokenSource]] = []
    for number in range(count):
        world.now = number / count
        source = TokenSource(credentials, "https://api.example.com", surroundings=world.surroundings)
        source.token()
        due.append((source.shared.held.stale_at, number, source))
    heapq.heapify(due)
    while due[0][0] < until:
        world.now, number, source = due[0]
        source.token()
        heapq.heapreplace(due, (source.shared.held.stale_at, number, source))
        yield world.now


def main() -> int:
    """Print the table; status 1 when a peak is above the goal where chance alone is not the cause."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=10_000)
    options = parser.parse_args()
    is_missed = False
    print(f"{'lifetime':>9} {'bin':>6} {'spread':>7}   peak, mean and peak/mean in each of {_LIFETIMES} lifetimes")
    for lifetime, bin_seconds in ((300, 1), (3600, 1), (3600, 60), (36_000, 1), (36_000, 60)):
        for is_spread in (True, False):
            world = World(lifetime, is_spread=is_spread)
            bins = Counter(
                int(at // bin_seconds) for at in renewals(world, options.sources, _LIFETIMES * lifetime) if at >= 1
            )
            cells = []
            for number in range(_LIFETIMES):
                begins, ends = number * lifetime // bin_seconds, (number + 1) * lifetime // bin_seconds
                counts = [bins[index] for index in range(begins, ends)]
                mean = sum(counts) / len(counts)
                cells.append(f"{max(counts):6d} {mean:7.2f} {max(counts) / mean:6.2f}")
                is_missed = is_missed or (is_spread and lifetime / bin_seconds <= 600 and max(counts) > GOAL * mean)
            print(f"{lifetime:7d} s {bin_seconds:4d} s {'with' if is_spread else 'without':>7}   {'  |'.join(cells)}")
    print(f"goal: a peak of at most {GOAL:g} times the mean: {'missed' if is_missed else 'met'}")
    print("bins that hold few renewals on average show chance, not the spread: see the longer bins beside them")
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
