"""``sensos-auth call``: one request to the API with a valid token, and its answer for people to read."""

import json
import os
import re
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import click

from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.token import cache_option, obtain_token, place_of
from sensos_auth.client import Client, TokenSource
from sensos_auth.client.api_client import checked_path
from sensos_auth.model.errors import InvalidInput

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What json leaves as it is, and a terminal obeys or no file can hold.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@click.command(
    epilog=example(
        "call GET /v1/endpoint",
        "call GET /v1/devices --param limit=10",
        "call POST /v1/devices --data device.json",
    )
)
@click.argument("method", type=click.Choice(_METHODS, case_sensitive=False))
@click.argument("path")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the query; repeatable.")
@click.option("--data", type=click.File("rb"), help="The file with the JSON body; - for standard input.")
@cache_option
@json_option
def call(
    *, method: str, path: str, params: tuple[str, ...], data: BinaryIO | None, no_cache: bool, as_json: bool
) -> None:
    """Call the API at SENSOS_BASE_URL, and print the JSON document that it answers.

    It is indented for people, and on one line with --json. The token is had as `token` has it. An answer that is an
    error is printed in the API's own words, and the exit status is 1.
    """
    checked_path(path)
    query = _query(params)
    body = None if data is None else _body(data)
    source = TokenSource.from_env(os.environ)
    held = source.shared.held = obtain_token(os.environ, use_cache=not no_cache)
    try:
        with Client(source) as client:
            document = client.request(method, path, params=query, json=body)
    finally:
        if source.shared.held is not held and not no_cache:  # the API had refused the one that was kept
            with suppress(OSError):
                place_of(os.environ, source).save(source.shared.held)
    if document is not None and as_json:
        click.echo(json.dumps(document))
    elif document is not None:
        is_unicode = getattr(sys.stdout, "encoding", "utf-8").lower().startswith("utf")
        shown = json.dumps(document, indent=2, ensure_ascii=not is_unicode)
        click.echo(_UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", shown))


def _query(params: tuple[str, ...]) -> dict[str, str]:
    query: dict[str, str] = {}
    for text in params:
        name, separator, value = text.partition("=")
        if not name or not separator or not _is_text(text):
            raise InvalidInput("--param is written NAME=VALUE, in UTF-8")
        if name in query:
            raise InvalidInput("--param takes each name once")
        query[name] = value
    return query


def _body(data: BinaryIO) -> Any:  # noqa: ANN401 - any JSON document
    try:
        document = json.load(data)
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()  # without what json reads and JSON has not
    except (ValueError, RecursionError):
        raise InvalidInput("--data is not a JSON document") from None
    return document


def _is_text(argument: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in argument)
