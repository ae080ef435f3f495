"""What was counted and used at several nodes adds up, and is evidence for all of them."""

import random
from collections import Counter
from pathlib import Path

from sensos_auth.registry import open_registry
from sensos_auth.registry.retirement import retirement_advice
from sensos_auth.registry.secrets import create_secret, get_secret
from sensos_auth.registry.usage import use_of_secret
from tests.postgresql_server import new_database_url
from tests.running_service import running_nodes
from tests.server.several_nodes.asking_nodes import command


def test_h14_tokens_and_refusals_of_all_nodes_are_added_up(tmp_path: Path) -> None:
    """As well as the last use of each secret: one that was used at another node is not safe to retire."""
    dice = random.Random(14)  # noqa: S311 - for choosing only
    url = new_database_url()
    with running_nodes(tmp_path, url, 2) as nodes:
        application = nodes[0].new_application()
        with nodes[0].registry.change("test") as change:
            newer, shown = create_secret(change, application_id=application.application_id)
        counts = Counter[str]()
        for number in range(60):
            # The old secret is used at the second node only, the new one at both.
            node = nodes[1] if number % 3 == 0 else dice.choice(nodes)
            secret, kind = (application.secret, "old") if number % 3 == 0 else (shown, "new")
            assert node.ask(application, applicationSecret=secret).status_code == 200
            counts[kind] += 1
            if number % 4 == 0:
                assert dice.choice(nodes).ask(application, applicationSecret="wrong").status_code == 401
                counts["refused"] += 1
        for node in nodes:
            node.end()
    registry = open_registry(url)
    with registry.view() as view:
        old = get_secret(view, application.secret_id)
        uses = [use_of_secret(view, secret_id) for secret_id in (old.secret_id, newer.secret_id)]
        advice = [retirement_advice(view, get_secret(view, each)) for each in (old.secret_id, newer.secret_id)]
    registry.close()
    assert None not in uses
    assert [(each.is_safe, each.tokens_alive) for each in advice] == [(False, counts["old"]), (False, counts["new"])]
    usage = command(nodes[0], "usage", "--application", application.application_id)["usage"]
    assert sum(each["tokens"] for each in usage) == counts["old"] + counts["new"]
    assert sum(each["refusals"] for each in usage) == counts["refused"]
