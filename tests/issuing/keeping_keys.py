"""Several processes that keep the keys of one registry current at the same moment.

    python -m tests.issuing.keeping_keys ENGINE ADDRESS NOW PROCESSES

Prints the ID of the key that a process made, one line each: an empty one where it made none.
"""

import os
import sys
from pathlib import Path

from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.registry import Registry
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.postgresql import PostgresqlDatabase
from sensos_auth.registry.sqlite import SqliteDatabase

MASTER_KEY = MasterKey(bytes(range(32)))


def _keep(engine: str, address: str, now: int) -> str:
    database = PostgresqlDatabase(address) if engine == "postgresql" else SqliteDatabase(Path(address))
    migrate(database, now)
    made = keep_keys_current(Registry(database, lambda: now * 1000), MASTER_KEY, "ES256")
    database.close()
    return made.kid if made else ""


def _main(engine: str, address: str, now: int, processes: int) -> None:
    start, go = os.pipe()
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(start, 1)  # returns when the parent closes its end, in all of them at once
            os.write(sys.stdout.fileno(), f"{_keep(engine, address, now)}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(go)
    if any(os.waitpid(child, 0)[1] for child in children):
        sys.exit("a process failed")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
