"""A failover whose old primary goes on: nobody has fenced it, and a node that reached it still does."""

import os
import secrets
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from sensos_auth.registry.lease import LEASE
from tests.nodes.postgresql_cluster import postgresql_cluster
from tests.running_service import COMMAND, running_service
from tests.server.several_nodes.asking_nodes import command, issuing
from tests.tcp_proxy import tcp_proxy

pytestmark = [pytest.mark.slow, pytest.mark.waits, pytest.mark.timeout(120)]


def test_z30_primary_that_lost_a_failover_acknowledges_nothing_and_misleads_who_reads_it_until_it_is_fenced(
    tmp_path: Path,
) -> None:
    """What is taken away there is said to be unknown. What is taken away at the new one, its node does not hear of.

    Nothing that it can read there says so: that is for whoever fails over to see to, and the documentation says it.
    Once it is fenced, the node finds the new one by itself.
    """
    with ExitStack() as ending:
        cluster = ending.enter_context(postgresql_cluster())
        way = ending.enter_context(tcp_proxy(cluster.primary.port))
        moving, old, new = cluster.primary.url(cluster.database, port=way.port), cluster.primary, cluster.standby
        naming_both = old.url(cluster.database).replace(f":{old.port}/", f":{old.port},127.0.0.1:{new.port}/")
        settings = {"SENSOS_AUTH_ISSUER": "https://auth.example", "SENSOS_AUTH_MASTER_KEY": secrets.token_hex(32)}
        moved, left = (
            ending.enter_context(
                running_service(tmp_path / name, environment=settings | {"SENSOS_AUTH_DATABASE_URL": url})
            )
            for name, url in (("moved", moving), ("left", naming_both))
        )
        taken_away, other, alive = (moved.new_application() for _ in range(3))
        assert {issuing(left, each) for each in (taken_away, other, alive)} == {200}
        cluster.fail_over()
        way.target_port = new.port
        way.cut()
        refused = subprocess.run(
            [COMMAND, "applications", "disable", other.application_id],
            env=os.environ | left.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (refused.returncode, refused.stdout) == (1, "")
        command(moved, "applications", "disable", taken_away.application_id)
        assert (issuing(moved, taken_away), issuing(left, taken_away)) == (401, 200)
        old.stop("immediate")
        time.sleep(LEASE)  # what was confirmed there is over
        give_up_at = time.monotonic() + 15
        while issuing(left, alive) != 200:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        assert (issuing(moved, taken_away), issuing(left, taken_away)) == (401, 401)
