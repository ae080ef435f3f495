"""The gateways as their packages bring them, each with its example configuration, on ports and in folders of a test's.

`make gateways` unpacks them in build/; one that is installed on the machine serves as well.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.running_service import free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "gateways"
UNPACKED = ROOT / "build" / "gateways" / "root"

_START_SECONDS = 10.0
_APACHE_MODULES = "mpm_event authn_core authz_core headers proxy proxy_http rewrite setenvif env oauth2"


@dataclass(frozen=True)
class Gateway:
    """A gateway that listens on ``port``."""

    name: str
    port: int
    log_file: Path


@dataclass(frozen=True)
class Surroundings:
    """What the example configurations are changed to: the ports of the service and the API, and a file with the key."""

    auth_port: int
    api_port: int
    key_file: Path


@dataclass(frozen=True)
class _Program:
    executable: str
    example: str
    prepare: Callable[[Path, Path], list[str]]  # folder, the example as changed -> arguments
    needs: tuple[str, ...] = ()


def _nginx(folder: Path, configuration: Path) -> list[str]:
    temporary = "\n".join(f"{kind}_temp_path temporary-{kind};" for kind in ("proxy", "fastcgi", "scgi", "uwsgi"))
    (folder / "nginx.conf").write_text(
        "daemon off; master_process off; pid nginx.pid; error_log stderr;\n"
        "events {}\n"
        f"http {{ access_log off; client_body_temp_path temporary-body; {temporary}\n"
        f"include {configuration}; }}\n"
    )
    return ["-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def _caddy(folder: Path, configuration: Path) -> list[str]:  # noqa: ARG001 - as the others
    return ["run", "--adapter", "caddyfile", "--config", str(configuration)]


def _haproxy(folder: Path, configuration: Path) -> list[str]:  # noqa: ARG001 - as the others
    return ["-db", "-f", str(configuration)]


def _apache(folder: Path, configuration: Path) -> list[str]:
    modules = _apache_modules()
    loads = "\n".join(f"LoadModule {name}_module {modules / f'mod_{name}.so'}" for name in _APACHE_MODULES.split())
    (folder / "apache.conf").write_text(
        f"ServerRoot {folder}\nServerName localhost\nPidFile apache.pid\nErrorLog error.log\nMutex pthread\n"
        f"DocumentRoot {folder}\n{loads}\nUser nobody\nGroup nogroup\nInclude {configuration}\n"
    )
    return ["-X", "-f", str(folder / "apache.conf")]


_PROGRAMS = {
    "nginx": _Program("nginx", "nginx/sensos-auth.conf", _nginx),
    "caddy": _Program("caddy", "caddy/Caddyfile", _caddy),
    "haproxy": _Program("haproxy", "haproxy/haproxy.cfg", _haproxy),
    "apache": _Program("apache2", "apache/sensos-auth.conf", _apache),
}
NAMES = tuple(_PROGRAMS)


def why_not(name: str) -> str:
    """Return why this gateway can't be run here, or nothing."""
    if _executable(_PROGRAMS[name].executable) is None:
        return f"{name} is not here: `make gateways` gets it where apt-get does"
    if name == "apache" and not (_apache_modules() / "mod_oauth2.so").exists():
        return "Apache's mod_oauth2 is not here: `make gateways` gets it where apt-get does"
    return ""


@contextmanager
def running_gateway(
    name: str, folder: Path, surroundings: Surroundings, edits: Sequence[tuple[str, str]] = ()
) -> Iterator[Gateway]:
    """Run a gateway with its example configuration, edited, for as long as the block lasts."""
    folder.mkdir(parents=True)
    port = free_port()
    program = _PROGRAMS[name]
    example = EXAMPLES / program.example
    configuration = folder / example.name
    text = example.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    configuration.write_text(_changed(text, port, surroundings))
    executable = _executable(program.executable)
    assert executable is not None
    log_file = folder / "output.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [executable, *program.prepare(folder, configuration)],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, port, log_file)
        yield Gateway(name, port, log_file)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _changed(example: str, port: int, surroundings: Surroundings) -> str:
    for written, meant in (
        ("127.0.0.1:8080", f"127.0.0.1:{port}"),
        ("127.0.0.1:8000", f"127.0.0.1:{surroundings.auth_port}"),
        ("127.0.0.1:9000", f"127.0.0.1:{surroundings.api_port}"),
    ):
        assert written in example
        example = example.replace(written, meant)
    return example.replace("/etc/haproxy/sensos-keys/KID.pem", str(surroundings.key_file))


def _executable(name: str) -> str | None:
    places = [UNPACKED / "usr/sbin", UNPACKED / "usr/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
    return shutil.which(name, path=os.pathsep.join(map(str, places)))


def _apache_modules() -> Path:
    executable = _executable("apache2")
    assert executable is not None
    return Path(executable).parents[1] / "lib/apache2/modules"


def _environment(folder: Path) -> dict[str, str]:
    libraries = os.pathsep.join(map(str, (UNPACKED / "usr/lib").glob("*-linux-gnu*")))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    } | ({"LD_LIBRARY_PATH": libraries} if libraries else {})


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log_file: Path) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, f"the gateway has ended:\n{log_file.read_text()}"
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the gateway does not listen after {_START_SECONDS} s:\n{log_file.read_text()}")
