"""A client that a generator makes from the description works."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_service import RunningService
from tests.server.management.asking import EVERYTHING, new_asker

_COMMAND = str(Path(sys.executable).with_name("openapi-python-client"))
_PROGRAM = """
import sys
from generated.client import AuthenticatedClient
from generated.api.applications import change_application, create_application, list_applications
from generated.models import Application, ApplicationPatch, CreatedApplication, Error, NewApplication
from generated.types import UNSET

base_url, token = sys.argv[1], sys.stdin.read()
with AuthenticatedClient(base_url=base_url, token=token, httpx_args={"trust_env": False}) as client:
    made = create_application.sync(client=client, body=NewApplication(name="Fleet sync"), idempotency_key="once")
    again = create_application.sync(client=client, body=NewApplication(name="Fleet sync"), idempotency_key="once")
    assert isinstance(made, CreatedApplication) and made == again and made.lifetime is None
    patch = ApplicationPatch(lifetime=600)
    changed = change_application.sync(made.application_id, client=client, body=patch)
    assert isinstance(changed, Application) and changed.lifetime == 600 and changed.name == "Fleet sync"
    refused = change_application.sync(made.application_id, client=client, body=patch, if_match='"1"')
    assert isinstance(refused, Error) and refused.error == "Precondition Failed"
    page = list_applications.sync(client=client, tenant_id=made.tenant_id, include_total=True)
    assert page.metadata.total == 2 and page.metadata.next_cursor is None
    assert [each.name for each in page.applications] == ["Fleet sync", "Fleet sync"]
    assert list_applications.sync(client=client).metadata.total is UNSET
print("works")
"""


@pytest.mark.slow
@pytest.mark.waits
def test_generated_client_works(service: RunningService, tmp_path: Path) -> None:
    """It is made without a warning, and makes, changes and lists applications, with all that makes that safe."""
    description = tmp_path / "openapi.json"
    description.write_bytes(service.client.get("/openapi.json").content)
    command = [_COMMAND, "generate", "--path", str(description), "--meta", "none", "--output-path", "generated"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "WARNING" not in made.stdout
    caller = new_asker(service, EVERYTHING)
    run = [sys.executable, "-c", _PROGRAM, service.base_url]
    ran = subprocess.run(run, cwd=tmp_path, input=caller.token, capture_output=True, text=True, check=False)
    assert ran.stdout == "works\n", ran.stderr
