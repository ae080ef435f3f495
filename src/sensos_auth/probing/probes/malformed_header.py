"""A good token in an Authorization header that is not as RFC 6750 section 2.1 writes it."""

from collections.abc import Iterator

from sensos_auth.probing.endpoint import Header
from sensos_auth.probing.faults import AMBIGUOUS_HEADER, FAILS_OPEN, GOOD_REFUSED, LOOSE_HEADER, Fault
from sensos_auth.probing.means import Means
from sensos_auth.probing.probe import Expectation, Group, Probe

_LARGE = 65_536

_LOOSE = (
    ("no scheme", "{}"),
    ("no space", "Bearer{}"),
    ("two spaces", "Bearer  {}"),
    ("tab", "Bearer\t{}"),
    ("colon", "Bearer: {}"),
    ("equals sign", "Bearer={}"),
    ("in double quotes", 'Bearer "{}"'),
    ("named", "Bearer token={}"),
    ("scheme twice", "Bearer Bearer {}"),
    ("a word after it", "Bearer {} extra"),
    ("a parameter after it", "Bearer {};a=b"),
    ("no-break space after it", "Bearer {}\xa0"),
    ("non-ASCII before it", "Bearer \xff{}"),
    ("percent-encoded space", "Bearer%20{}"),
)
_NO_TOKEN = (
    ("empty", ""),
    ("Bearer alone", "Bearer"),
    ("nonsense", "Bearer nonsense"),
    ("null", "Bearer null"),
    ("two dots", "Bearer .."),
    ("non-ASCII", "Bearer \xe4\xf6\xfc.\xe4\xf6\xfc.\xe4\xf6\xfc"),
    ("SQL", "Bearer ' OR '1'='1"),
)


def probes(means: Means) -> Iterator[Probe]:
    """Yield requests whose header is malformed, and the few that are not, although they look like it."""
    token = means.good.text
    good, bad = ("Authorization", f"Bearer {token}"), ("Authorization", "Bearer nonsense")
    for name in ("bearer", "BEARER"):
        yield _probe(means, f"scheme as {name}", GOOD_REFUSED, ("Authorization", f"{name} {token}"), is_good=True)
    for name, form in _NO_TOKEN:
        yield _probe(means, name, FAILS_OPEN, ("Authorization", form))
    for name, form in _LOOSE:
        yield _probe(means, name, LOOSE_HEADER, ("Authorization", form.replace("{}", token)))
    yield _probe(means, "two headers, both good", AMBIGUOUS_HEADER, good, good)
    yield _probe(means, "two headers, good and bad", AMBIGUOUS_HEADER, good, bad)
    yield _probe(means, "two headers, bad and good", AMBIGUOUS_HEADER, bad, good)
    yield _probe(means, "two headers, Basic and good", AMBIGUOUS_HEADER, ("Authorization", "Basic eDp5"), good)
    for name, form in (("comma", "{0},{0}"), ("as a proxy merges headers", "{0}, Bearer {0}")):
        yield _probe(means, f"two tokens, {name}", AMBIGUOUS_HEADER, ("Authorization", f"Bearer {form.format(token)}"))
    yield _probe(means, "64 KiB", FAILS_OPEN, ("Authorization", "Bearer " + "a" * _LARGE))


def _probe(means: Means, name: str, fault: Fault, *headers: Header, is_good: bool = False) -> Probe:
    expectation = Expectation.ENTRY if is_good else Expectation.MALFORMED
    return Probe(Group.HEADER, name, means.endpoint.request(*headers), expectation, fault, shown=means.good.text)
