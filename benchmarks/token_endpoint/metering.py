"""What limits, usage and last use cost: the product with all of them, beside the product with none.

Counts are written once a minute, so a round is a minute, after another one that fills the counts: what is written in it
is then a full minute's, too. Who is not loaded stands still meanwhile, so that nobody writes in the other's minute.
"""

from collections.abc import Callable

from benchmarks.token_endpoint.contestants import Contestant, Server, product
from benchmarks.token_endpoint.loading import Round
from benchmarks.token_endpoint.machine import standing_still
from benchmarks.token_endpoint.reporting import Ratio

METERED, UNMETERED = "product_metered", "product_unmetered"
MINUTE = 60
# Never reached, but looked at for each token.
_LIMITS = {"SENSOS_AUTH_APPLICATION_LIMIT": "1000000/s", "SENSOS_AUTH_ADDRESS_LIMIT": "10/s burst 100"}
_NO_LIMITS = {"SENSOS_AUTH_APPLICATION_LIMIT": "off", "SENSOS_AUTH_ADDRESS_LIMIT": "off"}
_LEAST = 0.95


def with_and_without(applications: int) -> list[Contestant]:
    """Return the two; both work on one registry, in turns."""
    return [
        product(METERED, applications, settings={"SENSOS_AUTH_USAGE": "on", **_LIMITS}, note="limits and usage"),
        product(UNMETERED, applications, settings={"SENSOS_AUTH_USAGE": "off", **_NO_LIMITS}, note="neither"),
    ]


def take_turns(
    servers: dict[str, Server],
    names: tuple[str, str],
    rounds: int,
    warm_up: Callable[[str], None],
    measure: Callable[[str], Round],
) -> dict[str, list[Round]]:
    """Return the rounds of both, the one first and then the other."""
    measured: dict[str, list[Round]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[:: -1 if number % 2 else 1]:
            with standing_still(servers[other].running.process for other in names if other != name):
                warm_up(name)
                measured[name].append(measure(name))
    return measured


def costs(rounds: dict[str, list[Round]]) -> list[Ratio]:
    """Return what is left of the rate, by time and by the CPU time of a token."""
    pairs = list(zip(rounds[METERED], rounds[UNMETERED], strict=True))
    return [
        Ratio(
            "limits, usage and last use on / off: tokens per CPU second",
            [b.cpu_each / a.cpu_each for a, b in pairs],
            _LEAST,
        ),
        Ratio("limits, usage and last use on / off: tokens per second", [a.rate / b.rate for a, b in pairs], _LEAST),
    ]
