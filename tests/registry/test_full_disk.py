"""A disk that is really full: a file system of 1 MiB, mounted for a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]

_ON_A_FULL_DISK = """
import subprocess, sys
from pathlib import Path
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry import open_registry
from sensos_auth.registry.tenants import create_tenant, list_tenants
registry = open_registry(f"sqlite:///{folder}/registry.sqlite3")
acknowledged = []
def create():
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="x" * 200).tenant_id
    acknowledged.append(tenant_id)
create()
room = folder / "room"
try:
    with room.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096): pass
except OSError:
    pass
refused = 0
for _ in range(40):
    try:
        create()
    except RegistryUnavailable as error:
        refused += 1
        assert "full" in str(error) or "cannot be read or written" in str(error), error
assert refused, "nothing was refused"
with registry.view() as view:
    assert [tenant.tenant_id for tenant in list_tenants(view, limit=1000)] == acknowledged
room.unlink()
create()
registry.close()
registry = open_registry(f"sqlite:///{folder}/registry.sqlite3")
with registry.view() as view:
    assert [tenant.tenant_id for tenant in list_tenants(view, limit=1000)] == acknowledged
assert registry.database.verify() == []
print("recovered after", refused)
"""


def _may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not _may_mount(), reason="Z14 on a real full disk needs the right to mount a file system")
def test_z14_full_disk_loses_nothing_and_recovers_by_itself(tmp_path: Path) -> None:
    """On a full disk changes are refused whole, reads go on; with room again, changes work again."""
    ended = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", _ON_A_FULL_DISK, str(tmp_path)],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("recovered")
