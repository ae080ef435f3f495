"""The revocation feed is the same from every node: whoever follows it may change nodes at any moment."""

import json
import random
import re
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt
import pytest

from sensos_auth.model.revocation import RevocationKind, subject_digest
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.verifying import InvalidToken, Verifier, VerifierCredentials
from tests.running_service import AUDIENCE, RunningService
from tests.server.management.asking import Asker
from tests.server.several_nodes.asking_nodes import at, command, without_waiting
from tests.tcp_proxy import TcpProxy

PATH = "/v1/revocations"
_AS_OF = re.compile(rb'"asOf":\d+')


def poll(node: RunningService, since: int, wait: float = 0) -> httpx2.Response:
    """Return the answer to a poll of the node's feed."""
    return node.client.get(PATH, params={"since": since, "wait": wait})


def version_of(node: RunningService) -> int:
    """Return the registry version as the node tells it."""
    version: int = poll(node, (1 << 63) - 1).json()["version"]
    return version


def digests(page: dict[str, Any]) -> set[bytes]:
    """Return the digests of the tokens on a page."""
    together = b"".join(b64decode(text) for _, text in page.get("tokens", []))
    return {together[start : start + 16] for start in range(0, len(together), 16)}


def revoke(node: RunningService, token_id: str) -> int:
    """Revoke a token beside the node, and return the version as soon as it is committed."""
    with without_waiting(node), node.registry.change("test") as change:
        revoke_token(change, token_id)
    return change.version


def _live(node: RunningService) -> list[str]:
    return [row["name"] for row in command(node, "verifiers", "list")["verifiers"] if row["live"]]


def test_command_waits_for_verifiers_whichever_nodes_they_ask(
    nodes: list[RunningService], balancer: TcpProxy, issuer: str
) -> None:
    """Each follows the feed of another node; all are counted, once each, and refuse when the command has returned."""
    own = nodes[0].new_application(scope="auth:verifier")
    credentials = VerifierCredentials(own.tenant_id, own.application_id, own.secret)
    verifiers = []
    for node in nodes:
        balancer.target_port = node.port
        verifier = Verifier.connect(issuer, audience=AUDIENCE, credentials=credentials, name=f"at-{node.port}")
        verifier.wait_until_ready()
        verifiers.append(verifier)
    application = nodes[0].new_application()
    token = nodes[1].token(application)
    give_up_at = time.monotonic() + 5
    while len(_live(nodes[2])) < len(nodes) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    document = command(nodes[2], "applications", "disable", application.application_id, "--wait")["verifiers"]
    assert document["live"] == document["confirmed"] == len(nodes)
    for verifier in verifiers:
        with pytest.raises(InvalidToken):
            verifier.verify(token)
        verifier.close()


def test_page_is_the_same_from_every_node(nodes: list[RunningService], operator: Asker) -> None:
    """Byte for byte but for asOf, with the same tag, signed with the same key, from the moment the call returned."""
    began = version_of(nodes[0])
    for node in nodes:
        application = node.new_application()
        assert at(node, operator).ask("POST", f"/v1/applications/{application.application_id}/disable").is_success
        for since in (0, began, version_of(node) - 1):
            answers = [poll(each, since) for each in nodes]
            assert len({_AS_OF.sub(b"", answer.content) for answer in answers}) == 1
            assert len({answer.headers["etag"] for answer in answers}) == 1
            assert subject_digest(RevocationKind.APPLICATION, application.application_id) in {
                b64decode(digest) for digest, *_ in answers[0].json()["applications"]
            }
    (keys,) = {node.client.get(f"{PATH}/keys").content for node in nodes}
    (key,) = json.loads(keys)["keys"]
    for node in nodes:
        answer = poll(node, 0)
        header, _, signature = answer.headers["sensos-signature"].split(".")
        payload = jwt.utils.base64url_encode(answer.content).decode()
        verified = jwt.PyJWS().decode(f"{header}.{payload}.{signature}", jwt.PyJWK(key), algorithms=["EdDSA"])
        assert verified == answer.content


def test_revocation_through_one_node_wakes_who_waits_at_another(nodes: list[RunningService]) -> None:
    """Within a second; here well within half of one."""
    for source, target in ((nodes[0], nodes[1]), (nodes[1], nodes[2]), (nodes[2], nodes[0])):
        since = version_of(target)
        woken: list[tuple[float, dict[str, Any]]] = []

        def wait(node: RunningService = target, since: int = since, woken: list[Any] = woken) -> None:
            page = poll(node, since, wait=8).json()
            woken.append((time.monotonic(), page))

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.15)
        revoked_at = time.monotonic()
        version = revoke(source, f"woken-at-{since}")
        waiting.join()
        ((at_, page),) = woken
        assert at_ - revoked_at < 1.0
        assert (page["version"], digests(page)) == (
            version,
            {subject_digest(RevocationKind.TOKEN, f"woken-at-{since}")},
        )


def test_z46_poller_that_changes_nodes_in_mid_poll_misses_nothing_and_never_goes_back(
    nodes: list[RunningService],
) -> None:
    """Each poll is held by another node than the last, and some are given up before they are answered."""
    dice = random.Random(46)  # noqa: S311 - for choosing only
    since = began = version_of(nodes[0])
    names = [f"changing-{number}" for number in range(120)]
    is_over = threading.Event()

    def revoke_all() -> None:
        for name in names:
            revoke(nodes[0], name)
            is_over.wait(dice.uniform(0, 0.03))
        is_over.set()

    heard: set[bytes] = set()
    polls = given_up = 0
    writer = threading.Thread(target=revoke_all, daemon=True)
    writer.start()
    while True:
        is_last = is_over.is_set()
        try:
            answer = dice.choice(nodes).client.get(
                PATH, params={"since": since, "wait": 0 if is_last else 2}, timeout=dice.choice([0.004, 0.02, 5])
            )
        except httpx2.TimeoutException:
            given_up += 1
            continue
        page = answer.json()
        polls += 1
        assert answer.status_code == 200
        assert page["version"] >= since == page["since"]
        heard |= digests(page)
        since = page["version"]
        if is_last:
            break
    writer.join()
    assert heard >= {subject_digest(RevocationKind.TOKEN, name) for name in names}
    assert digests(poll(nodes[1], began).json()) >= {subject_digest(RevocationKind.TOKEN, name) for name in names}
    assert min(polls, given_up) > 5


@dataclass
class Checking:
    """What a verifier said of a token that stays good, again and again."""

    accepted: int = 0
    troubles: list[str] = field(default_factory=list)


@contextmanager
def checking(verifier: Verifier, token: str) -> Iterator[Checking]:
    """Have the verifier check the token while the block runs."""
    checking = Checking()
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(0.001):
            try:
                verifier.verify(token)
                checking.accepted += 1
            except Exception as error:  # noqa: BLE001 - told by the test
                checking.troubles.append(repr(error))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield checking
    finally:
        is_over.set()
        thread.join()


def refused_after(verifier: Verifier, token: str, since: float) -> float:
    """Return after how many seconds the verifier refuses the token."""
    while True:
        try:
            verifier.verify(token)
        except InvalidToken:
            return time.monotonic() - since
        assert time.monotonic() - since < 5
        time.sleep(0.002)


@pytest.fixture
def verifier(nodes: list[RunningService], issuer: str) -> Iterator[Verifier]:
    """Return a verifier of the library, which knows the nodes by their common address."""
    own = nodes[0].new_application(scope="auth:verifier")
    credentials = VerifierCredentials(own.tenant_id, own.application_id, own.secret)
    verifier = Verifier.connect(issuer, audience=AUDIENCE, credentials=credentials, name="wanderer")
    verifier.wait_until_ready()
    yield verifier
    verifier.close()


def test_z46_verifier_that_changes_nodes_refuses_within_a_second_and_never_a_good_token(
    nodes: list[RunningService], balancer: TcpProxy, verifier: Verifier
) -> None:
    """Its poll is cut off, and goes on at another node; or it is held by a node that did not make the change."""
    good = nodes[0].token(nodes[0].new_application())
    seconds = []
    with checking(verifier, good) as checked:
        for number in range(9):
            source, target = nodes[number % 3], nodes[(number + 1) % 3]
            application = source.new_application()
            token = source.token(application)
            verifier.verify(token)
            balancer.target_port = target.port
            if number % 3 != 2:
                balancer.cut()  # in the middle of a poll
                time.sleep(0.05 * (number % 2))
            disabling_at = time.monotonic()
            with without_waiting(source), source.registry.change("test") as change:
                disable_application(change, application.application_id)
            seconds.append(refused_after(verifier, token, disabling_at))
    assert checked.troubles == []
    assert checked.accepted > 100
    assert max(seconds) < 1.0, seconds
    print(f"refused after {', '.join(f'{each:.2f}' for each in seconds)} s")  # noqa: T201 - for whoever measures
