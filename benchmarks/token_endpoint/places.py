"""Where the benchmark's files are. What it makes is under ``build/`` and may be deleted at any time."""

import hashlib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SERVED = HERE / "served"
BUILD = REPOSITORY / "build" / "benchmarks"
PRODUCT = REPOSITORY / ".venv" / "bin"
PEERS = BUILD / "peers"
NODE = BUILD / "node"
LOGS = BUILD / "logs"


def is_current(stamp: Path, *sources: Path) -> bool:
    """Tell whether what the stamp stands for was made from these files as they are now."""
    return stamp.exists() and stamp.read_text() == fingerprint(*sources)


def fingerprint(*sources: Path) -> str:
    """Return a hash of the contents of the files."""
    hashed = hashlib.sha256()
    for source in sources:
        hashed.update(source.read_bytes())
    return hashed.hexdigest()
