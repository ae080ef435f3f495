"""Other spellings of the endpoint's path, without a token."""

from collections.abc import Iterator

from sensos_auth.probing.faults import PATH
from sensos_auth.probing.means import Means
from sensos_auth.probing.probe import Expectation, Group, Probe


def probes(means: Means) -> Iterator[Probe]:
    """Yield requests for targets that a router may take for the endpoint's path, and a check may not."""
    endpoint = means.endpoint
    known = {endpoint.target}
    for name, target in _spellings(endpoint.path):
        if target.startswith("/") and target not in known:
            known.add(target)
            yield Probe(Group.PATHS, name, endpoint.request(target=target), Expectation.NO_ENTRY, PATH)
    absolute = f"{endpoint.scheme}://{endpoint.authority}{endpoint.target}"
    yield Probe(Group.PATHS, "absolute form", endpoint.request(target=absolute), Expectation.NO_ENTRY, PATH)
    # What joins Host and path into a URL, and parses that, finds another path (CVE-2026-48710).
    request = endpoint.request(host=f"{endpoint.authority}/public?x=")
    yield Probe(Group.PATHS, "a path in Host", request, Expectation.NO_ENTRY, PATH)


def _spellings(path: str) -> Iterator[tuple[str, str]]:
    folder, _, last = path.rpartition("/")
    yield "two slashes before it", f"/{path}"
    yield "two slashes in it", f"{folder}//{last}"
    yield "/./ before it", f"/.{path}"
    yield "/./ in it", f"{folder}/./{last}"
    yield "/../ in it", f"{folder}/public/../{last}"
    yield "/%2e/ in it", f"{folder}/%2e/{last}"
    yield "/%2e%2e/ in it", f"{folder}/public/%2e%2e/{last}"
    yield "/..;/ in it", f"{folder}/public/..;/{last}"
    yield "slash after it", f"{path}/"
    yield "slash and dot after it", f"{path}/."
    yield "encoded slash after it", f"{path}%2f"
    yield "encoded slash in it", f"{folder}%2f{last}"
    yield "backslash in it", f"{folder}\\{last}"
    yield "a parameter after it", f"{path};x=1"
    yield "a semicolon after it", f"{path};"
    yield "upper case", path.upper()
    yield "first letter in upper case", f"{folder}/{last.capitalize()}"
    yield "a letter encoded", f"{folder}/%{ord(last[0]):02x}{last[1:]}" if last else path
    yield "a letter encoded twice", f"{folder}/%25{ord(last[0]):02x}{last[1:]}" if last else path
    yield "an encoded space after it", f"{path}%20"
    yield "an encoded NUL after it", f"{path}%00"
    yield "an encoded question mark after it", f"{path}%3fx"
    yield "an encoded line end after it", f"{path}%0a"
    yield "a file extension", f"{path}.json"
    yield "a question mark after it", f"{path}?"
    yield "a query", f"{path}?probe=1"
    yield "a fragment", f"{path}#probe"
