"""A worker that dies while the database is away: another one takes its place as soon as it can."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.postgresql_server import new_database_url, reached_over_tcp
from tests.running_service import JWKS_PATH, running_service

_PATIENCE = 20.0

pytestmark = [pytest.mark.slow, pytest.mark.waits]


def test_others_serve_on_and_the_new_one_joins_them_when_the_database_is_back(tmp_path: Path) -> None:
    """It waits in place of ending, which would end all of the node; the log says why, once."""
    with (
        reached_over_tcp(new_database_url()) as (proxy, url),
        running_service(
            tmp_path / "node", workers=2, environment={"SENSOS_AUTH_DATABASE_URL": url}, at_once=True
        ) as node,
    ):
        application = node.new_application()
        proxy.refuses = True
        proxy.cut()
        dead = node.worker_pids()[0]
        os.kill(dead, signal.SIGKILL)
        line = node.wait_for_line(lambda line: line["event"] == "worker waits for the registry", _PATIENCE)
        assert line["level"] == "warning"
        assert "PostgreSQL registry cannot be reached" in line["reason"]
        time.sleep(3)  # some attempts
        assert node.process.poll() is None
        assert node.client.get(JWKS_PATH).status_code == 200
        assert b"Traceback" not in node.log_bytes()
        proxy.refuses = False
        node.wait_until_ready()  # and both listen
        assert dead not in node.worker_pids()
        assert node.token(application)
        waiting = [line for line in node.log_lines() if line["event"] == "worker waits for the registry"]
        assert len(waiting) == 1
