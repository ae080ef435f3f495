"""What the rounds mean: medians, ratios, the floors, a table for people."""

from dataclasses import dataclass
from statistics import median

from tabulate import tabulate

from benchmarks.token_endpoint.loading import Round

SIGNING = "signing"
MOST_DISTURBANCE = 0.05
_SIGNING_TITLE = "(b) raw ES256 signatures, openssl speed"


@dataclass(frozen=True)
class Ratio:
    """One figure divided by another, round by round. ``floor`` is what was promised, ``None`` where nothing was."""

    title: str
    values: list[float]
    floor: float | None = None
    is_ceiling: bool = False

    @property
    def is_met(self) -> bool:
        """Tell whether the median keeps the promise."""
        if self.floor is None:
            return True
        return self.middle <= self.floor if self.is_ceiling else self.middle >= self.floor

    @property
    def middle(self) -> float:
        """Return the median."""
        return median(self.values)

    def row(self) -> list[str]:
        """Return a row of the table."""
        promise = "" if self.floor is None else f"{'at most' if self.is_ceiling else 'at least'} {self.floor:g}"
        verdict = "" if self.floor is None else ("met" if self.is_met else "MISSED")
        return [self.title, f"{self.middle:.3f}", f"{min(self.values):.3f} - {max(self.values):.3f}", promise, verdict]


def ratios(rates: dict[str, list[float]], rounds: dict[str, list[Round]], products: list[str]) -> list[Ratio]:
    """Return the ratios that the rates of one run allow; ``products`` from the fewest applications to the most."""
    found = []
    middle = "product_100000" if "product_100000" in rates else products[-1] if products else ""
    for title, above, below, floor in (
        (f"{middle} / (c) oidc-provider", middle, "oidc-provider", 2.2),
        (f"{middle} / (b) raw signing", middle, SIGNING, 0.22),
        (f"{middle} / (d) Authlib", middle, "authlib", None),
        (f"{middle} / (e) django-oauth-toolkit", middle, "django", None),
        (f"{middle} / (a) bare server", middle, "bare", None),
        ("product_1000000 / product_10", "product_1000000", "product_10", 0.85),
    ):
        if above in rates and below in rates:
            pairs = zip(rates[above], rates[below], strict=True)
            found.append(Ratio(title, [one / other for one, other in pairs], floor))
    found.extend(
        Ratio(f"{name}: worker memory, MiB", [one.worker_rss_mib for one in rounds[name]], 90, is_ceiling=True)
        for name in products
    )
    return found


def scaling(one: list[Round], two: list[Round], *, has_spare_cores: bool, what: str = "worker") -> list[Ratio]:
    """Return how two of them compare with one; a floor only where the load generator has cores of its own."""
    pairs = list(zip(two, one, strict=True))
    return [
        Ratio(f"two {what}s / one {what}", [b.rate / a.rate for b, a in pairs], 1.7 if has_spare_cores else None),
        Ratio(
            "the same per second of server CPU (1 = no loss)",
            [b.rate / b.server_cpu / (a.rate / a.server_cpu) for b, a in pairs],
        ),
        Ratio(
            f"two {what}s / one {what} at two full cores (projected)",
            [2 * b.rate / b.server_cpu / (a.rate / a.server_cpu) for b, a in pairs],
            None if has_spare_cores else 1.7,
        ),
    ]


def rounds_table(titles: dict[str, str], rounds: dict[str, list[Round]], signing: list[float]) -> str:
    """Return the table of all contestants."""
    rows = []
    for name, measured in rounds.items():
        rates = [one.rate for one in measured]
        rows.append(
            [
                titles[name],
                f"{median(rates):,.0f}",
                f"{min(rates):,.0f} - {max(rates):,.0f}",
                *(_middle(measured, of, form) for of, form in (("p50_ms", ".1f"), ("p99_ms", ".1f"))),
                *(_middle(measured, of, form) for of, form in (("worker_rss_mib", ".0f"), ("server_cpu", ".2f"))),
                _middle(measured, "cpu_each", ".1f"),
                *(_middle(measured, of, ".2f") for of in ("load_cpu", "others_cpu")),
                f"{sum(one.log_lines for one in measured) / sum(one.answers for one in measured):.2f}",
            ]
        )
    if signing:
        rows.append([_SIGNING_TITLE, f"{median(signing):,.0f}", f"{min(signing):,.0f} - {max(signing):,.0f}"])
    head = [
        "",
        "per second",
        "min - max",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
        "CPU",
        "CPU µs each",
        "wrk CPU",
        "others' CPU",
        "log lines",
    ]
    return tabulate(rows, head, disable_numparse=True, colalign=["left"] + ["right"] * 10)


def ratios_table(found: list[Ratio]) -> str:
    """Return the table of ratios and floors."""
    head = ["", "median", "min - max", "promised", ""]
    return tabulate([ratio.row() for ratio in found], head, disable_numparse=True, colalign=("left", *["right"] * 4))


def disturbed(rounds: dict[str, list[Round]]) -> list[str]:
    """Return the names of those whose figures other processes on this machine may have spoilt."""
    return [name for name, measured in rounds.items() if max(one.others_cpu for one in measured) > MOST_DISTURBANCE]


def _middle(measured: list[Round], of: str, form: str) -> str:
    return format(median(getattr(one, of) for one in measured), form)
