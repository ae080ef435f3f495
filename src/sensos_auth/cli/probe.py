"""``sensos-auth probe``: bad requests for a running service of one's own, and what its answers say about it."""

import os
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import print_json
from sensos_auth.cli.probe_sources import good_token, published_keys
from sensos_auth.model.scope import normalize_scope
from sensos_auth.probing.endpoint import parse_endpoint
from sensos_auth.probing.exchange import sender
from sensos_auth.probing.faults import Severity
from sensos_auth.probing.key_server import serving
from sensos_auth.probing.means import Means
from sensos_auth.probing.probe import Group
from sensos_auth.probing.report import Report
from sensos_auth.probing.report_json import json_report
from sensos_auth.probing.report_junit import junit_report
from sensos_auth.probing.report_text import text_report
from sensos_auth.probing.run import run

if TYPE_CHECKING:
    from sensos_auth.probing.issuer_keys import IssuerKeys
    from sensos_auth.probing.means import Registry
    from sensos_auth.probing.tokens import GoodToken

_COLOURS = {Severity.GOT_THROUGH: "red", Severity.LEAKED: "red", Severity.BREAKS: "yellow", Severity.ADVICE: "cyan"}
_WORDS = {"got-through": Severity.GOT_THROUGH, "leaked": Severity.LEAKED, "breaks": Severity.BREAKS}
_FAIL_ON = {**_WORDS, "advice": Severity.ADVICE}


@click.command(
    epilog=example(
        "probe http://127.0.0.1:8000/v1/endpoint",
        "probe https://api.example.com/v1/vehicles --token-file token.txt --junit probe.xml",
        "probe https://api.example.com/v1/vehicles --with-registry --scope vehicles:read",
    )
)
@click.argument("url")
@click.option("--token-file", type=click.File("rb"), help="The file that holds a good token; - is stdin.")
@click.option("--jwks", metavar="URL", help="The issuer's JWKS.  [default: that of SENSOS_BASE_URL, or of iss]")
@click.option("--with-registry", is_flag=True, help="Sign bad claims with the issuer's key, and revoke a token.")
@click.option("--scope", default="", metavar="SCOPE", help="What the endpoint demands, space-separated.")
@click.option("--contract", is_flag=True, help="Demand the 401 of Sensos Auth's own contract, byte for byte.")
@click.option("--only-safe-methods", is_flag=True, help="Leave out POST, PUT, PATCH and DELETE.")
@click.option("--allow-insecure-http", is_flag=True, help="Send tokens over plain http to another machine.")
@click.option(
    "--timeout",
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(0.1, 60),
    help="For each request.",
)
@click.option(
    "--fail-on",
    default="breaks",
    show_default=True,
    type=click.Choice(list(_FAIL_ON)),
    help="The least that is status 1.",
)
@click.option(
    "--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML as well."
)
@json_option
def probe(
    *,
    url: str,
    token_file: BinaryIO | None,
    jwks: str | None,
    with_registry: bool,
    scope: str,
    contract: bool,
    only_safe_methods: bool,
    allow_insecure_http: bool,
    timeout: float,
    fail_on: str,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Send bad requests to an endpoint of your own, and report what got through.

    URL is one that answers GET with success when it is shown a good token. That token is obtained with
    SENSOS_BASE_URL, SENSOS_TENANT_ID, SENSOS_APPLICATION_ID and SENSOS_APPLICATION_SECRET (each also as …_FILE), or
    read from --token-file. It is sent to the URL's host only, there also in places where it does not belong, such as
    the query: take that of a test application. If POST or DELETE gets through without a token, it does what it does.

    --with-registry is for operators, where the SENSOS_AUTH_… variables lead to the registry and its master key.

    Exit status: 0 nothing was found, 1 something was, or the good token was refused, 2 wrong usage.
    """
    endpoint = parse_endpoint(url, allow_insecure_http=allow_insecure_http)
    needed = normalize_scope(scope)
    good = good_token(token_file, os.environ, timeout=timeout, allow_insecure_http=allow_insecure_http)
    registry, keys = _issuer(
        good, jwks, with_registry=with_registry, timeout=timeout, allow_insecure_http=allow_insecure_http
    )
    means = Means(endpoint, good, keys, registry, needed, int(time.time()), only_safe_methods=only_safe_methods)
    with serving(means.own_keys, good.kid) if endpoint.is_loopback else nullcontext() as key_server:
        means = replace(means, key_server=key_server)
        report = run(means, sender(endpoint, timeout=timeout), contract=contract, progress=_show_progress)
    _end_progress()
    least = _FAIL_ON[fail_on]
    if junit is not None:
        _write(junit, junit_report(report, least))
    if as_json:
        print_json(json_report(report, least))
    else:
        _print(report)
    if report.fails(least):
        click.get_current_context().exit(1)


def _issuer(
    good: "GoodToken", jwks: str | None, *, with_registry: bool, timeout: float, allow_insecure_http: bool
) -> "tuple[Registry | None, IssuerKeys | None]":
    if not with_registry:
        keys = published_keys(jwks, good, os.environ, timeout=timeout, allow_insecure_http=allow_insecure_http)
        return None, keys
    try:
        from sensos_auth.cli import probe_registry  # noqa: PLC0415 - needs what comes with the service
    except ModuleNotFoundError as error:
        raise Refused(
            f"--with-registry needs the package {error.name}: run pip install 'sensos-auth[server]'"
        ) from None
    return probe_registry.registry_means(good, os.environ)


def _print(report: Report) -> None:
    for line in text_report(report):
        severity = next((each for each in Severity if line == each.upper()), None)
        is_bad = line.startswith("CONTROL FAILED")
        colour = "red" if is_bad else _COLOURS[severity] if severity else None
        click.echo(click.style(line, fg=colour, bold=True) if colour else line)


def _show_progress(sent: int, of: int, group: Group) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{sent} of {of}: {group}", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


def _write(path: Path, document: bytes) -> None:
    try:
        path.write_bytes(document)
    except OSError as error:
        raise Refused(f"the JUnit file cannot be written: {error.strerror}") from None
