"""A token of one node is good at every other at once, whatever key it is signed with."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import jwt

from sensos_auth.model.signing_key import KeyState
from sensos_auth.registry.feed_keys import list_feed_keys
from sensos_auth.registry.signing_keys import list_signing_keys
from tests.running_service import ENDPOINT_PATH, JWKS_PATH, TOKEN_PATH, ExampleApplication, RunningService
from tests.server.management.asking import EVERYTHING, Asker, new_asker
from tests.server.several_nodes.asking_nodes import (
    assert_nothing_went_wrong,
    at,
    command,
    issuing,
    published,
    verifying,
)


def test_z47_nodes_that_start_at_once_make_one_key_of_each_kind(nodes: list[RunningService]) -> None:
    """One node has made each, and all of them use it."""
    with nodes[0].registry.view() as view:
        (feed_key,) = list_feed_keys(view)
        first = min(list_signing_keys(view), key=lambda key: key.signs_from)
        assert [key.signs_from for key in list_signing_keys(view)].count(first.signs_from) == 1
    for node in nodes:
        assert first.kid in published(node)
        assert node.client.get("/v1/revocations/keys").json()["keys"][0]["kid"] == feed_key.kid


def test_application_made_through_one_node_gets_tokens_of_all(nodes: list[RunningService], operator: Asker) -> None:
    """At once, and each node and its example API accept what another has issued, again at once."""
    for number in range(6):
        maker = nodes[number % 3]
        made = at(maker, operator).make("/v1/applications", {"name": "Fleet sync"})
        application = ExampleApplication(
            made["tenantId"], made["applicationId"], made["secretId"], made["applicationSecret"]
        )
        for issuer, verifier in itertools.product(nodes, nodes):
            bearer = {"Authorization": f"Bearer {issuer.token(application)}"}
            assert verifier.client.get("/v1/verify", headers=bearer).status_code == 200
            assert verifier.client.get(ENDPOINT_PATH, headers=bearer).status_code == 200


def test_secret_made_through_one_node_works_at_all(nodes: list[RunningService], operator: Asker) -> None:
    """Although the other nodes hold the application already, and have refused what nobody knew."""
    application = nodes[0].new_application(tenant_id=operator.tenant_id)
    for number in range(6):
        for node in nodes:
            assert issuing(node, application) == 200
        path = f"/v1/applications/{application.application_id}/secrets"
        made = at(nodes[number % 3], operator).make(path, {})
        for node in nodes:
            assert node.ask(application, applicationSecret=made["applicationSecret"]).status_code == 200


def test_scheduled_rotation_is_published_by_all_nodes_when_the_call_has_returned(
    nodes: list[RunningService],
) -> None:
    """The same bytes with the same tag; the key that signed goes on signing."""
    operator = new_asker(nodes[1], EVERYTHING)
    rotated = operator.ask("POST", "/v1/signing-keys/rotate").json()
    answers = [node.client.get(JWKS_PATH) for node in nodes]
    assert rotated["kid"] in answers[0].text
    assert len({(answer.content, answer.headers["etag"]) for answer in answers}) == 1
    signs = {jwt.get_unverified_header(node.token(operator.application))["kid"] for node in nodes}
    assert len(signs) == 1
    assert rotated["kid"] not in signs
    # It ends: the tests beside this one rotate as well.
    operator.ask("POST", f"/v1/signing-keys/{rotated['kid']}/revoke")


@dataclass
class Traffic:
    """Tokens that were got at one node and shown to another, and what was said of them."""

    statuses: Counter[int] = field(default_factory=Counter)
    kids: set[str] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)

    def wait_for_tokens(self, signed_with: str = "") -> None:
        """Return once there are some, signed with the key of this ID if one is given."""
        give_up_at = time.monotonic() + 10
        while not (signed_with in self.kids if signed_with else self.kids):
            assert time.monotonic() < give_up_at, (self.statuses, self.troubles)
            time.sleep(0.01)


@contextmanager
def tokens_in_flight(nodes: list[RunningService], application: ExampleApplication) -> Iterator[Traffic]:
    """Get tokens at one node after the other, and show each to another at once, while the block runs.

    Another node again must publish the key that it is signed with.
    """
    traffic = Traffic()
    is_over = threading.Event()

    def run(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - for choosing only
        with httpx2.Client(trust_env=False, timeout=10) as client:
            while not is_over.is_set():
                urls = [node.base_url for node in dice.choices(nodes, k=3)]
                answer = client.post(urls[0] + TOKEN_PATH, json=application.credentials())
                if answer.status_code != 200:
                    traffic.troubles.append(f"token: {answer.status_code}")
                    continue
                token = answer.json()["accessToken"]
                kid = jwt.get_unverified_header(token)["kid"]
                known = {key["kid"] for key in client.get(urls[2] + JWKS_PATH).json()["keys"]}
                status = client.get(urls[1] + "/v1/verify", headers={"Authorization": f"Bearer {token}"}).status_code
                traffic.statuses[status] += 1
                traffic.kids.add(kid)
                if kid not in known:
                    traffic.troubles.append(f"{kid} is not published")

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield traffic
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_z49_every_node_knows_the_key_of_every_token_through_immediate_rotations(
    nodes: list[RunningService], operator: Asker
) -> None:
    """Through each node, and by the command: whoever asks any node for its keys has the one that signs."""
    with tokens_in_flight(nodes, operator.application) as traffic:
        traffic.wait_for_tokens()
        for node in nodes:
            rotated = at(node, operator).ask("POST", "/v1/signing-keys/rotate", json={"immediately": True})
            assert (rotated.status_code, rotated.json()["state"]) == (200, "active")
            traffic.wait_for_tokens(signed_with=rotated.json()["kid"])
        traffic.wait_for_tokens(signed_with=command(nodes[0], "keys", "rotate", "--immediately")["kid"])
    assert traffic.troubles == []
    assert set(traffic.statuses) == {200}
    assert len(traffic.kids) == 5
    assert_nothing_went_wrong(nodes)
    print(f"{traffic.statuses.total()} tokens through {len(traffic.kids)} keys")  # noqa: T201 - for whoever measures


def test_z49_revoked_key_signs_nothing_anywhere_when_the_call_has_returned(nodes: list[RunningService]) -> None:
    """Its tokens are refused by every node, its successor's are good, and no node publishes it any longer."""
    application = nodes[0].new_application()
    for node in nodes:
        tokens = [each.token(application) for each in nodes]
        (kid,) = {jwt.get_unverified_header(token)["kid"] for token in tokens}
        assert [verifying(each, token) for each in nodes for token in tokens] == [200] * 9
        revoked = new_asker(node, EVERYTHING).ask("POST", f"/v1/signing-keys/{kid}/revoke")
        assert revoked.json()["state"] == KeyState.REVOKED.value
        successors = [each.token(application) for each in nodes]
        assert [verifying(each, token) for each in nodes for token in tokens] == [401] * 9
        assert [verifying(each, token) for each in nodes for token in successors] == [200] * 9
        assert kid not in {jwt.get_unverified_header(token)["kid"] for token in successors}
        assert all(kid not in published(each) for each in nodes)
