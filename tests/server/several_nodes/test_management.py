"""Management across nodes: a request may be repeated, continued or contradicted at another node than the first."""

import asyncio
import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2

from tests.running_service import RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, Asker, new_asker, without_request_id
from tests.server.several_nodes.asking_nodes import assert_nothing_went_wrong, at, command

_WRITERS = 20
_CHANGES = 5
_BODY = {"name": "Fleet sync", "lifetime": 60}


def _post(node: RunningService, caller: Asker, key: str, **changes: object) -> httpx2.Response:
    return at(node, caller).ask("POST", "/v1/applications", json=_BODY | changes, headers={"Idempotency-Key": key})


def test_j06_creation_is_answered_again_by_every_node(nodes: list[RunningService]) -> None:
    """To the byte, secret and all; with another body the key is refused by every node."""
    owner = new_asker(nodes[0], ADMINISTRATOR)
    for number, node in enumerate(nodes):
        answers = [without_request_id(_post(each, owner, f"key-{number}")) for each in (node, *nodes)]
        assert answers[0][0] == 201
        assert all(answer == answers[0] for answer in answers)
        assert {_post(each, owner, f"key-{number}", name="Other").status_code for each in nodes} == {422}
    assert owner.get("/v1/applications?includeTotal=true")["metadata"]["total"] == 1 + len(nodes)


def test_j06_retries_at_several_nodes_at_once_make_one(nodes: list[RunningService]) -> None:
    """Twelve at the same moment all hear of the same application."""
    owner = new_asker(nodes[0], ADMINISTRATOR)
    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(lambda node: _post(node, owner, "once"), nodes * 4))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert owner.get("/v1/applications?includeTotal=true")["metadata"]["total"] == 2


def test_j05_change_to_what_was_changed_through_another_node_is_refused(
    nodes: list[RunningService], operator: Asker
) -> None:
    """The tag that one node gave is good at another, until somebody changes the application through any of them."""
    path = f"/v1/applications/{nodes[0].new_application().application_id}"
    for one, other in itertools.permutations(nodes, 2):
        seen = at(one, operator).ask("GET", path).headers["etag"]
        headers = {"If-Match": seen}
        assert at(other, operator).ask("PATCH", path, json={"name": "First"}, headers=headers).status_code == 200
        assert at(one, operator).ask("PATCH", path, json={"name": "Second"}, headers=headers).status_code == 412
        assert at(one, operator).get(path)["name"] == "First"


def test_pages_go_on_at_another_node(nodes: list[RunningService]) -> None:
    """Each application is listed once, and at once after it was made somewhere."""
    owner = new_asker(nodes[0], EVERYTHING)
    made = {at(node, owner).make("/v1/applications", _BODY)["applicationId"] for node in nodes * 2}
    turns = itertools.cycle(nodes)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = at(next(turns), owner).get("/v1/applications", params={"tenantId": owner.tenant_id, "limit": 2} | cursor)
        found += [each["applicationId"] for each in page["applications"]]
        if page["metadata"]["nextCursor"] is None:
            break
        cursor = {"cursor": page["metadata"]["nextCursor"]}
    assert sorted(found) == sorted({*made, owner.application.application_id})


def test_z48_twenty_writers_over_two_nodes_lose_no_update_and_make_one_audit_chain(
    nodes: list[RunningService], operator: Asker
) -> None:
    """Each makes applications, and counts one of them up: versions grow with every change, and nothing goes wrong."""
    pair = nodes[:2]
    counted = f"/v1/applications/{operator.make('/v1/applications', {'name': '0'})['applicationId']}"
    statuses = Counter[int]()
    versions: list[list[int]] = [[] for _ in range(_WRITERS)]

    async def count_up(client: httpx2.AsyncClient) -> httpx2.Response:
        while True:
            seen = await client.get(counted)
            body = {"name": str(int(seen.json()["name"]) + 1)}
            answer = await client.patch(counted, json=body, headers={"If-Match": seen.headers["etag"]})
            statuses[answer.status_code] += 1
            if answer.status_code != 412:
                return answer

    async def write(writer: int) -> None:
        node = pair[writer % 2]
        headers = {"Authorization": f"Bearer {operator.token}"}
        async with httpx2.AsyncClient(base_url=node.base_url, headers=headers, timeout=30, trust_env=False) as client:
            for number in range(_CHANGES):
                answer = await client.post("/v1/applications", json={"name": f"{writer}/{number}"})
                statuses[answer.status_code] += 1
                versions[writer].append(_version(answer))
            versions[writer].append(_version(await count_up(client)))

    async def write_all() -> None:
        await asyncio.gather(*(write(writer) for writer in range(_WRITERS)))

    started = time.monotonic()
    asyncio.run(write_all())
    seconds = time.monotonic() - started
    print(f"{statuses[200] + statuses[201]} changes, {statuses[412]} refused, in {seconds:.1f} s")  # noqa: T201
    assert (statuses[201], statuses[200]) == (_WRITERS * _CHANGES, _WRITERS)
    assert set(statuses) == {200, 201, 412}
    assert at(nodes[2], operator).get(counted)["name"] == str(_WRITERS)
    report = command(nodes[2], "audit", "verify")
    assert (report["findings"], report["unchained"]) == ([], 0)
    assert all(own == sorted(own) for own in versions)
    assert len({version for own in versions for version in own}) == _WRITERS * (_CHANGES + 1)
    assert_nothing_went_wrong(nodes)


def _version(answer: httpx2.Response) -> int:
    return int(answer.headers["etag"].strip('"'))
