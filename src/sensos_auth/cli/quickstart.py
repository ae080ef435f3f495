"""``sensos-auth quickstart``: the service with an application to try it, from nothing."""

import json
import os
import shlex
import threading
import time
from pathlib import Path

import click
import httpx2
import msgspec

from sensos_auth.issuing.issuer import ApplicationCredentials
from sensos_auth.model.application_secret import digest
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.credentials import find_credential
from sensos_auth.registry.location import FILE_NAME, data_folder
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.server.serving import check_address, prepare, serve

_HOST = "127.0.0.1"
_CREDENTIALS_FILE = "quickstart.json"


@click.command(epilog="\b\nExample:\n  sensos-auth quickstart --data-dir ./var")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_535), help="The port to listen on.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the registry, the master key and the example's credentials.",
)
def quickstart(port: int, data_dir: Path | None) -> None:
    """Start the service on an embedded registry, with an application to try it.

    Prints three curl lines: get a token, call the example API with it, call it without. The next start keeps
    everything. For production there is `sensos-auth serve`.
    """
    folder = (data_dir or data_folder(os.environ)).resolve()
    base_url = f"http://{_HOST}:{port}"
    os.environ["SENSOS_AUTH_DATA_DIR"] = str(folder)
    _keep_registry_in(folder / FILE_NAME)
    os.environ.setdefault("SENSOS_AUTH_ISSUER", base_url)
    check_address(_HOST, port)
    prepare(os.environ)
    registry = open_registry(os.environ["SENSOS_AUTH_DATABASE_URL"])
    try:
        credentials = _example_credentials(registry, folder / _CREDENTIALS_FILE)
    finally:
        registry.close()
    greeting = threading.Thread(target=_greet, args=(base_url, credentials, folder), daemon=True)
    serve(host=_HOST, port=port, workers=1, when_started=greeting.start)


def _keep_registry_in(file: Path) -> None:
    """Set the registry's place for what comes, and say so where another one was set."""
    url = f"sqlite:///{file}"
    for variable in ("SENSOS_AUTH_DATABASE_URL", "SENSOS_AUTH_DATABASE_URL_FILE"):
        if os.environ.pop(variable, url) != url:
            click.echo(
                f"{variable} is not used: quickstart keeps a registry of its own in {file}. `serve` uses it.", err=True
            )
    os.environ["SENSOS_AUTH_DATABASE_URL"] = url


def _example_credentials(registry: Registry, path: Path) -> ApplicationCredentials:
    """Return the credentials kept in the file; makes a tenant and an application where there are none that work."""
    if path.exists():
        credentials = _kept_credentials(path)
        with registry.view() as view:
            found = find_credential(view, digest(credentials.application_secret))
        if found is not None and found.withdrawn_at is None:
            return credentials
    with registry.change("quickstart") as change:
        tenant = create_tenant(change, name="Quickstart")
        application = create_application(change, tenant_id=tenant.tenant_id, name="Quickstart")
        _, secret = create_secret(change, application_id=application.application_id)
        credentials = ApplicationCredentials(tenant.tenant_id, application.application_id, secret)
        # Before the commit: a crash in between leaves a file that the next start finds to be worthless.
        _keep(credentials, path)
    return credentials


def _kept_credentials(path: Path) -> ApplicationCredentials:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ApplicationCredentials)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"{path} cannot be read ({type(error).__name__}): remove it to start anew") from None


def _keep(credentials: ApplicationCredentials, path: Path) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(credentials))
        os.fsync(file.fileno())
    draft.rename(path)


def _greet(base_url: str, credentials: ApplicationCredentials, folder: Path) -> None:
    while not _is_ready(base_url):
        time.sleep(0.05)
    body = json.dumps(msgspec.to_builtins(credentials))
    get_token = f"curl -sS {base_url}/v1/applications/token -H 'Content-Type: application/json' -d '{body}'"
    take_out = """sed -E 's/.*"accessToken":"([^"]+)".*/\\1/'"""
    click.echo(f"""
Sensos Auth listens at {base_url} (documentation: {base_url}/docs)
Registry, master key and these credentials are in {folder}

Get a token:
{get_token}

Call the example API with one:
curl -sS {base_url}/v1/endpoint -H "Authorization: Bearer $({get_token} | {take_out})"

Call it without:
curl -sS {base_url}/v1/endpoint

For the other commands, in another terminal:
export SENSOS_AUTH_DATA_DIR={shlex.quote(str(folder))} SENSOS_AUTH_ISSUER={os.environ["SENSOS_AUTH_ISSUER"]}

Ctrl-C stops the service; the next start keeps everything.
""")


def _is_ready(base_url: str) -> bool:
    try:
        return httpx2.get(f"{base_url}/readyz", timeout=2.0, trust_env=False).is_success
    except httpx2.HTTPError:
        return False
