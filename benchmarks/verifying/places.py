"""Where the benchmark's files are. What it makes is under ``build/`` and may be deleted at any time."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SERVED = HERE / "served"
TIMED = HERE / "timed"
BUILD = REPOSITORY / "build" / "benchmarks" / "verifying"
PEERS = BUILD / "peers"
NODE = BUILD / "node"
MATERIAL = BUILD / "material.json"
