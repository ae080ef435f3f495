"""Every example of the documentation runs as it stands there. How blocks are marked: :mod:`tests.docs.pages`."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sensos_auth.registry import open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from tests.docs.pages import ROOT, WITH_EXAMPLES, Block, blocks, name_of
from tests.postgresql_server import new_database_url
from tests.running_service import free_port, start_service

PROGRAMS = Path(sys.executable).parent
SERVICE_PORT = "8000"
SECONDS = 90

pytestmark = [
    pytest.mark.skipif(not shutil.which("curl") or not shutil.which("bash"), reason="the examples need curl and bash"),
    pytest.mark.timeout(SECONDS + 15),
]


@dataclass
class Reader:
    """Somebody who pastes a page's examples: what they put in place of the placeholders, and where they are."""

    folder: Path
    replacements: dict[str, str]
    environment: dict[str, str]

    def put_in(self, text: str) -> str:
        """Return the text with this reader's values."""
        for placeholder, value in self.replacements.items():
            text = text.replace(placeholder, value)
        return text


@contextmanager
def reader(page: list[Block], folder: Path, data_folder: Path) -> Iterator[Reader]:
    """Prepare a registry with an application, and a service unless the page starts its own."""
    data_folder.mkdir(mode=0o700)
    opened = closing(open_registry(f"sqlite:///{data_folder / 'registry.sqlite3'}"))
    with opened as registry, registry.change("test") as change:
        tenant = create_tenant(change, name="Blue Motors")
        scope = "vehicles:read trips:read"
        application = create_application(change, tenant_id=tenant.tenant_id, name="Fleet sync", scope=scope)
        _, secret = create_secret(change, application_id=application.application_id)
    databases = {"postgresql://…": new_database_url()} if any("postgresql://…" in block.text for block in page) else {}
    ports = {port: str(free_port()) for port in (SERVICE_PORT, *(b.argument for b in page if b.kind == "background"))}
    replacements = {
        "ten_…": tenant.tenant_id,
        "app_…": application.application_id,
        "sensos_sk_…": secret,
        **databases,
        **{f"127.0.0.1:{port}": f"127.0.0.1:{free}" for port, free in ports.items()},
        **{f"--port {port}": f"--port {free}" for port, free in ports.items()},
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SENSOS_", "MAKE", "MFLAGS"))}
    environment = clean | {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "SENSOS_AUTH_DATA_DIR": str(data_folder),
        "XDG_CACHE_HOME": str(data_folder / "cache"),
        "DATA_DIR": str(data_folder),  # for make quickstart, and its port
        "PORT": ports[SERVICE_PORT],
    }
    with ExitStack() as stack:
        if not any(block.argument == SERVICE_PORT for block in page):
            stack.callback(start_service(data_folder, port=int(ports[SERVICE_PORT])).end, at_once=True)
        yield Reader(folder, replacements, environment)


def script(page: list[Block], at: Reader) -> str:
    """Return the page as one bash script, which prints a mark with the block's line before each block's output."""
    parts = ["set -eu -o pipefail"]
    for block in page:
        text = at.put_in(block.text)
        if block.kind == "file":
            (at.folder / block.argument).write_text(text)
        elif block.kind == "background":
            port = at.put_in(f"127.0.0.1:{block.argument}").rpartition(":")[2]
            parts.append(f"{text.rstrip()} >'{at.folder}/background_{block.argument}.txt' 2>&1 &")
            # Waits for the port, but not for a program that has ended.
            parts.append(f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 $!; sleep 0.1; done")
        elif block.kind == "run":
            parts.append(f"printf '\\n@@%s@@\\n' {block.line}")
            if block.language == "python":
                program = at.folder / f"line_{block.line}.py"
                program.write_text(text)
                parts.append(f"python '{program}'")
            else:
                parts.append(text)
    return "\n".join(parts)


def run(script_text: str, at: Reader, in_folder: Path) -> dict[int, str]:
    """Run the script and return what each block printed, by its line."""
    process = subprocess.Popen(
        ["bash", "-c", script_text],
        cwd=in_folder,
        env=at.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started, in a process group of its own
        process.wait()
    started = "\n".join(file.read_text() for file in at.folder.glob("background_*.txt"))
    assert process.returncode == 0, f"{stdout}\n{stderr}\n{started}"
    parts = re.split(r"\n@@(\d+)@@\n", stdout)
    return {int(line): printed for line, printed in zip(parts[1::2], parts[2::2], strict=True)}


def is_as_shown(printed: str, shown: str) -> bool:
    """Tell whether the output is what the page shows; ``…`` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def is_installed() -> bool:
    """Tell whether make has nothing to install in this checkout."""
    question = ["make", "--question", ".venv/.server-installed"]
    return subprocess.run(question, cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_examples_run_and_print_what_is_shown(path: Path, tmp_path: Path) -> None:
    """Pasted from top to bottom, each block succeeds, and prints what the page says."""
    page = list(blocks(path.read_text("utf-8")))
    if any(block.text.startswith("make ") for block in page) and not is_installed():
        pytest.skip("make would install first, under the feet of the other tests: run make setup")
    folder = tmp_path / "pasted"
    folder.mkdir()
    with reader(page, folder, tmp_path / "data") as at:
        # The README is for who stands in the checkout; the others are for anybody, anywhere.
        printed = run(script(page, at), at, ROOT if path.parent == ROOT else folder)
        last_line = 0
        for block in page:
            if block.kind == "run":
                last_line = block.line
            elif block.kind == "output":
                assert is_as_shown(printed[last_line], at.put_in(block.text)), (
                    f"line {block.line}: {printed[last_line]}"
                )


def test_a_block_without_a_mark_is_found() -> None:
    """A block that would not be run needs a reason."""
    (unmarked, marked) = blocks("```ini\na=1\n```\n\n<!-- not run: a file -->\n```ini\na=1\n```\n")
    with pytest.raises(ValueError, match="line 1"):
        _ = unmarked.kind
    assert marked.kind == "not run"


@pytest.mark.parametrize(
    ("printed", "shown", "is_good"),
    [("200 app_a\n", "200 app_…", True), ("201 app_a\n", "200 app_…", False), ("a.c", "a?c", False), ("", "", True)],
)
def test_output_is_compared(printed: str, shown: str, is_good: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Only ``…`` stands for anything."""
    assert is_as_shown(printed, shown) is is_good
