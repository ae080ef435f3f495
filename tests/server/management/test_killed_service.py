"""The service is killed amid creations, and whoever had no answer asks again with the same key."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from sensos_auth.registry.audit import AuditFilter, events_page
from tests.running_service import RunningService, start_service
from tests.server.management.asking import EVERYTHING, new_asker

_ROUNDS = 3
_CREATIONS = 30


async def _create_all(base_url: str, token: str, keys: list[str], answers: dict[str, httpx2.Response]) -> None:
    async def create(at: httpx2.AsyncClient, key: str) -> None:
        try:
            answers[key] = await at.post("/v1/applications", json={"name": key}, headers={"Idempotency-Key": key})
        except httpx2.TransportError:  # nobody knows whether it was made
            return

    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx2.Limits(max_connections=8)
    async with httpx2.AsyncClient(base_url=base_url, headers=headers, limits=limits, trust_env=False) as at:
        await asyncio.gather(*(create(at, key) for key in keys))


async def _create_all_until_killed(
    service: RunningService, token: str, keys: list[str], answers: dict[str, httpx2.Response], *, delay: float
) -> None:
    creating = asyncio.create_task(_create_all(service.base_url, token, keys, answers))
    await asyncio.sleep(delay)
    service.end(at_once=True)
    await creating


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(120)
def test_z_j06_creation_is_made_once_however_the_service_ends(tmp_path: Path) -> None:
    """Every creation is there once, its answer is the same before and after, and the audit trail tells of it once."""
    service = start_service(tmp_path / "data")
    owner = new_asker(service, EVERYTHING)
    environment, port = {"SENSOS_AUTH_ISSUER": service.base_url}, service.port
    before: dict[str, httpx2.Response] = {}
    cut_off = 0
    for round_number in range(_ROUNDS):
        keys = [f"{round_number}-{number}" for number in range(_CREATIONS)]

        asyncio.run(_create_all_until_killed(service, owner.token, keys, before, delay=0.02 + 0.02 * round_number))
        cut_off += sum(key not in before for key in keys)
        service = start_service(tmp_path / "data", environment=environment, port=port)
        after: dict[str, httpx2.Response] = {}
        asyncio.run(_create_all(service.base_url, owner.token, keys, after))
        assert {answer.status_code for answer in after.values()} == {201}
        assert len(after) == _CREATIONS
        for key in keys:
            assert key not in before or before[key].content == after[key].content
    assert cut_off > 0, "the service was never killed in time: the test shows nothing"
    with service.registry.view() as view:
        made = AuditFilter(tenant_id=owner.tenant_id, action="application.created")
        names = [event.details["name"] for event in events_page(view, made, limit=1000)]
    service.end(at_once=True)
    assert sorted(names[1:]) == sorted(f"{each}-{number}" for each in range(_ROUNDS) for number in range(_CREATIONS))
