"""Where ``probe`` gets a good token and the issuer's public keys from, without the registry."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from sensos_auth.cli.failing import Refused
from sensos_auth.model.errors import InvalidInput
from sensos_auth.probing.endpoint import Endpoint, Request, parse_endpoint
from sensos_auth.probing.exchange import Answer, sender
from sensos_auth.probing.issuer_keys import IssuerKeys, parse_issuer_keys
from sensos_auth.probing.report import outcome_of
from sensos_auth.probing.tokens import GoodToken, parse_good_token

_TOKEN_PATH = "/v1/applications/token"  # noqa: S105 - a path
_JWKS_PATH = "/.well-known/jwks.json"
_LARGEST_TOKEN_FILE = 65_536  # bytes
_MEMBERS = {
    "tenantId": "SENSOS_TENANT_ID",
    "applicationId": "SENSOS_APPLICATION_ID",
    "applicationSecret": "SENSOS_APPLICATION_SECRET",
}


def good_token(
    file: BinaryIO | None, environment: Mapping[str, str], *, timeout: float, allow_insecure_http: bool
) -> GoodToken:
    """Return the token in the file, or a fresh one for the credentials of the environment.

    Raises InvalidInput for what is no token and for settings that are missing, Refused when the issuer gives none.
    """
    if file is not None:
        return parse_good_token(file.read(_LARGEST_TOKEN_FILE).decode("ascii", "replace").strip())
    base_url = _setting("SENSOS_BASE_URL", environment)
    body = json.dumps({member: _setting(name, environment) for member, name in _MEMBERS.items()}).encode()
    try:
        endpoint = _below(base_url, _TOKEN_PATH, allow_insecure_http=allow_insecure_http)
    except InvalidInput as error:
        raise InvalidInput(f"SENSOS_BASE_URL: {error}") from None
    request = endpoint.request(("Content-Type", "application/json"), method="POST", body=body)
    document = _fetch(endpoint, request, timeout, "the issuer gives no token")
    try:
        return parse_good_token(json.loads(document)["accessToken"])
    except (ValueError, TypeError, KeyError):
        raise Refused("the issuer gives no token: its answer holds none") from None


def published_keys(
    url: str | None, good: GoodToken, environment: Mapping[str, str], *, timeout: float, allow_insecure_http: bool
) -> IssuerKeys | None:
    """Return the issuer's keys: those at the URL (Refused if it has none), else at its usual place, else None."""
    if url is not None:
        endpoint = parse_endpoint(url, allow_insecure_http=allow_insecure_http)
        return parse_issuer_keys(_fetch(endpoint, endpoint.request(), timeout, "the JWKS is not to be had"), good.kid)
    issuer = environment.get("SENSOS_BASE_URL") or good.claims.get("iss")
    try:
        endpoint = _below(str(issuer), _JWKS_PATH, allow_insecure_http=allow_insecure_http)
        return parse_issuer_keys(_fetch(endpoint, endpoint.request(), timeout, "no JWKS"), good.kid)
    except (InvalidInput, Refused):
        return None  # the report names what could not be tried without them


def _setting(name: str, environment: Mapping[str, str]) -> str:
    value, path = environment.get(name), environment.get(f"{name}_FILE")
    if value is None and path is not None:
        try:
            value = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise InvalidInput(f"the file that {name}_FILE names cannot be read") from None
    if value is None or not value.strip():
        raise InvalidInput(f"no good token: set {name} (or {name}_FILE), or pass --token-file")
    return value.strip()


def _below(base_url: str, path: str, *, allow_insecure_http: bool) -> Endpoint:
    return parse_endpoint(base_url.rstrip("/") + path, allow_insecure_http=allow_insecure_http)


def _fetch(endpoint: Endpoint, request: Request, timeout: float, complaint: str) -> bytes:
    answer = sender(endpoint, timeout=timeout)(request)
    if not isinstance(answer, Answer) or not answer.is_success:
        raise Refused(f"{complaint}: {endpoint} answers with {outcome_of(answer)}")
    return answer.body
