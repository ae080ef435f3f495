"""The catalogue of probes as a whole."""

from collections import Counter
from dataclasses import replace

from sensos_auth.probing.endpoint import parse_endpoint
from sensos_auth.probing.issuer_keys import parse_issuer_keys
from sensos_auth.probing.key_server import KeyServer
from sensos_auth.probing.means import Means, Registry
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe
from sensos_auth.probing.probes import all_probes
from sensos_auth.probing.tokens import parse_good_token, part
from tests.probing.stub_service import GOOD, KEYS

JWKS = b'{"keys":[%s]}' % str({**KEYS.public_jwk(), "kid": "a"}).replace("'", '"').encode()
EVERYTHING = Means(
    parse_endpoint("http://127.0.0.1:1/v1/vehicles"),
    parse_good_token(GOOD),
    parse_issuer_keys(JWKS, "a"),
    Registry("a", "ES256", KEYS.es256, lambda *_: None),
    "vehicles:read vehicles:write",
    1_700_000_000,
    own_keys=KEYS,
    key_server=KeyServer(1, set()),
)


def names(means: Means) -> Counter[tuple[Group, str]]:
    """Return the names of all probes, sent or not."""
    return Counter((each.group, each.name) for each in all_probes(means))


def test_with_all_means_every_group_has_probes() -> None:
    """All but revocation, which takes several requests; and each has a name of its own within its group."""
    assert {group for group, _ in names(EVERYTHING)} == set(Group) - {Group.REVOCATION}
    assert set(names(EVERYTHING).values()) == {1}
    assert names(EVERYTHING).total() > 250


def test_what_cannot_be_sent_is_named_all_the_same() -> None:
    """Fewer means, and the names stay: nothing is passed over in silence. Only the forms of the key are one then."""
    poor = replace(EVERYTHING, registry=None, issuer_keys=None, key_server=None, only_safe_methods=True)
    missing = set(names(EVERYTHING)) - set(names(poor))
    assert all("the public key as" in name for _, name in missing)
    assert (Group.ALGORITHM, "HS256, the public key in all forms as secret") in names(poor)
    not_run = [each for each in all_probes(poor) if isinstance(each, NotRun)]
    assert {each.group for each in not_run} >= {Group.CLAIMS, Group.SCOPE, Group.METHODS, Group.HEADER_MEMBERS}
    assert all(each.reason for each in not_run)


def test_every_request_can_be_sent_and_is_a_bad_one() -> None:
    """None shows the good token as it should be shown, but where that is the point."""
    good = f"Authorization: Bearer {GOOD}\r\n".encode()
    for probe in all_probes(EVERYTHING):
        assert isinstance(probe, Probe) or "spelled" in probe.reason
        if isinstance(probe, Probe):
            head = probe.request.to_bytes().partition(b"\r\n\r\n")[0] + b"\r\n"
            is_shown_well = good in head and head.count(b"\r\nAuthorization: ") == 1
            assert not is_shown_well or probe.expectation is Expectation.NOT_BELIEVED
            assert b"\n" not in head.replace(b"\r\n", b"")


def test_representations_show_no_token() -> None:
    """A probe in a traceback or a log gives nothing away."""
    payload = part(EVERYTHING.good.claims)
    assert payload not in repr(list(all_probes(EVERYTHING)))
    assert payload not in repr(EVERYTHING)
    assert "eyJ" not in repr(EVERYTHING)


def test_paths_of_another_shape() -> None:
    """A URL without a path, with a query, with one letter: each gives requests, none for the endpoint itself."""
    for url in ("http://127.0.0.1:1", "http://127.0.0.1:1/?a=b", "http://127.0.0.1:1/a", "http://[::1]:1/a/"):
        means = replace(EVERYTHING, endpoint=parse_endpoint(url))
        targets = [each.request.target for each in all_probes(means) if isinstance(each, Probe)]
        assert all(target.startswith(("/", "http://")) for target in targets)
