"""Six services, each wrong in one way: the probe finds that one."""

from pathlib import Path

import pytest

from sensos_auth.probing import faults
from sensos_auth.probing.faults import Fault
from tests.probing.probing import Prober, running_example, titles
from tests.running_service import RunningService

PLANTED: dict[str, set[Fault]] = {
    "unverified_signature": {faults.UNSIGNED},
    "algorithm_from_the_token": {faults.ALGORITHM_NONE, faults.PUBLIC_KEY_AS_SECRET},
    "any_issuer_and_audience": {faults.ISSUER, faults.AUDIENCE},
    "forgotten_expiry": {faults.EXPIRY},
    "one_route_only": {faults.METHOD, faults.PATH},
    "talkative": {faults.STACK_TRACE, faults.LIBRARY, faults.TOKEN_ECHO, faults.ORACLE, faults.NO_CHALLENGE},
}


# Only who can sign with the issuer's key sees these.
NEED_THE_REGISTRY = {"any_issuer_and_audience", "forgotten_expiry"}


@pytest.mark.parametrize("name", PLANTED)
def test_finds_the_planted_hole_and_none_of_the_others(
    name: str, service: RunningService, prober: Prober, tmp_path: Path
) -> None:
    """Each mistake is named for the service that makes it, and for no other; with a token alone, where that can be."""
    with running_example(f"examples.wrong_services.{name}", service, tmp_path / "log.txt") as base_url:
        report = prober.report(f"{base_url}/v1/vehicles", "--with-registry")
        text = prober.run(f"{base_url}/v1/vehicles")
    assert report["control"] == {"accepted": True, "problem": None}
    planted = {fault.title for fault in PLANTED[name]}
    elsewhere = {fault.title for holes in PLANTED.values() for fault in holes} - planted
    assert titles(report) & (planted | elsewhere) == planted
    assert report["result"] == "failed"
    for fault in PLANTED[name]:
        told = f"{fault.title}.\n    {fault.meaning}\n    Mend: {fault.remedy}\n"
        assert (told in text.stdout) == (name not in NEED_THE_REGISTRY)
    assert "expired an hour ago" in text.stdout.partition("NOT RUN")[2]
    assert text.exit_code == 1
