"""Fifty writers at once on one tenant, over two workers: no update is lost, and nobody meets a locked registry."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from sensos_auth.registry.audit_verification import verify_trail
from tests.running_service import RunningService, running_service
from tests.server.management.asking import EVERYTHING, Asker, new_asker

_WRITERS = 50
_CHANGES = 4

pytestmark = [pytest.mark.slow, pytest.mark.waits, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a service with two workers, which write to one file."""
    with running_service(tmp_path_factory.mktemp("writers") / "data", workers=2, at_once=True) as running:
        yield running


def client(owner: Asker) -> httpx2.AsyncClient:
    """Return a client of the caller's with a connection for each writer."""
    return httpx2.AsyncClient(
        base_url=owner.service.base_url,
        headers={"Authorization": f"Bearer {owner.token}"},
        limits=httpx2.Limits(max_connections=_WRITERS, max_keepalive_connections=_WRITERS),
        timeout=30.0,
        trust_env=False,
    )


def assert_sound(service: RunningService) -> None:
    """Fail unless nothing was reported in the log, and the audit trail is whole."""
    assert {line["event"] for line in service.log_lines()} <= {"request", "serving"}
    with service.registry.view() as view:
        assert verify_trail(view).findings == []


def test_creations_of_fifty_writers_are_all_there(two_workers: RunningService) -> None:
    """Each is answered 201, listed once, and in the audit trail once."""
    owner = new_asker(two_workers, EVERYTHING)

    async def write(writer: int, at: httpx2.AsyncClient) -> list[int]:
        answers = [await at.post("/v1/applications", json={"name": f"{writer}/{number}"}) for number in range(_CHANGES)]
        return [answer.status_code for answer in answers]

    async def write_all() -> list[list[int]]:
        async with client(owner) as at:
            return await asyncio.gather(*(write(writer, at) for writer in range(_WRITERS)))

    started = time.monotonic()
    statuses = Counter(status for found in asyncio.run(write_all()) for status in found)
    seconds = time.monotonic() - started
    assert statuses == {201: _WRITERS * _CHANGES}, statuses
    print(f"{_WRITERS * _CHANGES / seconds:.0f} creations a second")  # noqa: T201 - for whoever measures
    path: str | None = f"/v1/applications?tenantId={owner.tenant_id}&limit=100"
    names = []
    while path is not None:
        page = owner.get(path)
        names += [each["name"] for each in page["applications"]]
        cursor = page["metadata"]["nextCursor"]
        path = cursor and f"/v1/applications?tenantId={owner.tenant_id}&limit=100&cursor={cursor}"
    written = {f"{writer}/{number}" for writer in range(_WRITERS) for number in range(_CHANGES)}
    assert sorted(names) == sorted([*written, "Fleet sync"])
    assert_sound(two_workers)


def test_j05_no_update_of_fifty_writers_is_lost(two_workers: RunningService) -> None:
    """Each adds one to what it has read, and begins again when somebody was faster: at the end, all were counted."""
    owner = new_asker(two_workers, EVERYTHING)
    made = owner.make("/v1/applications", {"name": "0"})
    path = f"/v1/applications/{made['applicationId']}"
    refused = Counter[int]()

    async def add_one(at: httpx2.AsyncClient) -> None:
        while True:
            seen = await at.get(path)
            answer = await at.patch(
                path, json={"name": str(int(seen.json()["name"]) + 1)}, headers={"If-Match": seen.headers["etag"]}
            )
            refused[answer.status_code] += 1
            if answer.status_code != 412:
                return

    async def add_all() -> None:
        async with client(owner) as at:
            await asyncio.gather(*(add_one(at) for _ in range(_WRITERS)))

    asyncio.run(add_all())
    assert set(refused) <= {200, 412}, refused
    assert owner.get(path)["name"] == str(_WRITERS)
    assert_sound(two_workers)
