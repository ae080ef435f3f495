"""Brings what the benchmark needs and the product does not: wrk, the Python peers, the node peer."""

import os
import shutil
import subprocess
import sys

from benchmarks.token_endpoint.places import HERE, NODE, PEERS, SERVED, fingerprint, is_current

_PIP_INSTALL = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet")
_LOCKED = ("--require-hashes", "--no-deps", "--only-binary", ":all:")


def require_wrk() -> None:
    """Install the load generator with the system's package manager where we may; raises SystemExit where not."""
    for tool, package in (("taskset", "util-linux"), ("openssl", "openssl")):
        if shutil.which(tool) is None:
            raise SystemExit(f"The benchmark needs {tool}: install the package {package}.")
    if shutil.which("wrk") is not None:
        return
    if shutil.which("apt-get") is not None and os.geteuid() == 0:
        print("Installing the load generator wrk with apt-get", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=False, stdout=subprocess.DEVNULL)
    if shutil.which("wrk") is None:
        raise SystemExit(
            "The benchmark needs the load generator wrk (https://github.com/wg/wrk): install the package wrk."
        )


def install_python_peers() -> None:
    """Make the virtual environment of Authlib and django-oauth-toolkit from the hashed requirements."""
    requirements = HERE / "requirements.txt"
    stamp = PEERS / ".installed"
    if is_current(stamp, requirements):
        return
    print("Installing the Python peers", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", PEERS], check=True)
    subprocess.run([PEERS / "bin" / "python", *_PIP_INSTALL, *_LOCKED, "--requirement", requirements], check=True)
    stamp.write_text(fingerprint(requirements))


def install_node_peer() -> None:
    """Install oidc-provider from the lock file, without running anything that packages bring; raises SystemExit."""
    sources = [HERE / "package.json", HERE / "package-lock.json", SERVED / "oidc_provider.mjs"]
    stamp = NODE / ".installed"
    if is_current(stamp, *sources):
        return
    if shutil.which("npm") is None:
        raise SystemExit("The node peer needs Node.js 20 or newer with npm; leave it out with --only.")
    print("Installing the node peer", flush=True)
    NODE.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copy(source, NODE)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], check=True, cwd=NODE)
    stamp.write_text(fingerprint(*sources))
