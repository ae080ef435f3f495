"""Brings what the benchmark runs in: one environment for the product and its Python peers, and the node peers."""

import shutil
import subprocess
import sys

from benchmarks.token_endpoint.places import fingerprint, is_current
from benchmarks.verifying.places import HERE, NODE, PEERS, TIMED

_PIP_INSTALL = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet")
_LOCKED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")


def install_python_peers() -> None:
    """Make the virtual environment that all Python code is timed in, from the hashed requirements."""
    requirements = HERE / "requirements.txt"
    stamp = PEERS / ".installed"
    if is_current(stamp, requirements):
        return
    print("Installing the Python peers", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
    subprocess.run([PEERS / "bin" / "python", *_PIP_INSTALL, *_LOCKED, "--requirement", requirements], check=True)
    stamp.write_text(fingerprint(requirements))


def install_node_peers() -> None:
    """Install jose and fast-jwt from the lock file, without running anything that packages bring; raises SystemExit."""
    sources = [HERE / "package.json", HERE / "package-lock.json", TIMED / "node_libraries.mjs"]
    stamp = NODE / ".installed"
    if is_current(stamp, *sources):
        return
    if shutil.which("npm") is None:
        raise SystemExit("The node peers need Node.js 20 or newer with npm; leave them out with --only.")
    print("Installing the node peers", flush=True)
    NODE.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, NODE)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], check=True, cwd=NODE)
    stamp.write_text(fingerprint(*sources))
