"""The ways in which administrators change the registry: through a node, by the command line, or by what both call."""

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2

from sensos_auth.cli.opening import actor as command_actor
from sensos_auth.issuing.key_rotation import revoke as revoke_key
from sensos_auth.issuing.key_rotation import rotate as rotate_key
from sensos_auth.issuing.master_key import parse_master_key
from sensos_auth.model.errors import RegistryUnavailable, SensosAuthError
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import disable_application, enable_application, void_tokens_of_application
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.secrets import create_secret, revoke_secret, rotate_secret
from sensos_auth.registry.tenants import disable_tenant, enable_tenant
from tests.nodes.history import Effect, Outcome
from tests.nodes.node import Node
from tests.running_service import COMMAND, TOKEN_PATH, ExampleApplication

if TYPE_CHECKING:
    from sensos_auth.registry import Change

_PATIENCE = 20.0  # seconds
OPERATOR_SCOPE = (
    "auth:tenants:read auth:tenants:write auth:applications:read auth:applications:write auth:secrets:write "
    "auth:keys:read auth:keys:write auth:revocations:write auth:operator"
)


class Action(StrEnum):
    """What administrators do here."""

    DISABLE_APPLICATION = "disable application"
    ENABLE_APPLICATION = "enable application"
    DISABLE_TENANT = "disable tenant"
    ENABLE_TENANT = "enable tenant"
    VOID_APPLICATION = "void an application's tokens"
    CREATE_SECRET = "create secret"
    ROTATE_SECRET = "rotate secret"
    REVOKE_SECRET = "revoke secret"
    REVOKE_SECRET_AND_TOKENS = "revoke secret and its tokens"
    REVOKE_TOKEN = "revoke token"
    ROTATE_KEY = "rotate key"
    REVOKE_KEY = "revoke key"


class Spelling(NamedTuple):
    """How an action is called in the trail, over HTTP and on the command line; ``{}`` stands for the subject."""

    event: str
    effect: Effect
    path: str
    body: Mapping[str, Any] | None
    command: Sequence[str]


SPELLINGS: Mapping[Action, Spelling] = {
    Action.DISABLE_APPLICATION: Spelling(
        "application.disabled",
        Effect.TAKES_AND_VOIDS,
        "/v1/applications/{}/disable",
        None,
        ("applications", "disable", "{}"),
    ),
    Action.ENABLE_APPLICATION: Spelling(
        "application.enabled", Effect.GIVES, "/v1/applications/{}/enable", None, ("applications", "enable", "{}")
    ),
    Action.DISABLE_TENANT: Spelling(
        "tenant.disabled", Effect.TAKES_AND_VOIDS, "/v1/tenants/{}/disable", None, ("tenants", "disable", "{}")
    ),
    Action.ENABLE_TENANT: Spelling(
        "tenant.enabled", Effect.GIVES, "/v1/tenants/{}/enable", None, ("tenants", "enable", "{}")
    ),
    Action.VOID_APPLICATION: Spelling(
        "application.tokens_voided",
        Effect.VOIDS,
        "/v1/applications/{}/void-tokens",
        None,
        ("applications", "void-tokens", "{}"),
    ),
    Action.CREATE_SECRET: Spelling(
        "secret.created",
        Effect.GIVES,
        "/v1/applications/{}/secrets",
        {},
        ("secrets", "create", "--application", "{}", "--json"),
    ),
    Action.ROTATE_SECRET: Spelling(
        "secret.created",
        Effect.GIVES,
        "/v1/applications/{}/secrets/rotate",
        {"oldEndIn": 1},
        ("secrets", "rotate", "--application", "{}", "--old-end-in", "1", "--json"),
    ),
    Action.REVOKE_SECRET: Spelling(
        "secret.revoked", Effect.TAKES, "/v1/secrets/{}/revoke", {}, ("secrets", "revoke", "{}")
    ),
    Action.REVOKE_SECRET_AND_TOKENS: Spelling(
        "secret.revoked",
        Effect.TAKES_AND_VOIDS,
        "/v1/secrets/{}/revoke",
        {"withTokens": True},
        ("secrets", "revoke", "{}", "--with-tokens"),
    ),
    Action.REVOKE_TOKEN: Spelling(
        "token.revoked", Effect.VOIDS, "/v1/tokens/revoke", {"tokenId": "{}"}, ("tokens", "revoke", "--token-id", "{}")
    ),
    Action.ROTATE_KEY: Spelling(
        "signing_key.rotated",
        Effect.REPLACES_KEY,
        "/v1/signing-keys/rotate",
        {"immediately": True},
        ("keys", "rotate", "--immediately", "--json"),
    ),
    Action.REVOKE_KEY: Spelling(
        "signing_key.revoked",
        Effect.TAKES_AND_VOIDS,
        "/v1/signing-keys/{}/revoke",
        None,
        ("keys", "revoke", "{}", "--yes"),
    ),
}
_CREATING = frozenset({Action.CREATE_SECRET, Action.ROTATE_SECRET})


class Answer(NamedTuple):
    """What came of an action: the document that was returned, if any, and what should never have been said."""

    outcome: Outcome
    document: Mapping[str, Any]
    complaint: str = ""


class Way:
    """One way, used by one thread. ``name`` is for the history, ``actor`` whom the audit trail names."""

    name: str
    actor: str

    def do(self, action: Action, subject: str) -> Answer:
        """Carry out the action."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of connections."""


@dataclass
class ManagementApi(Way):
    """A node chosen anew each time, by an operator's application."""

    nodes: Sequence[Node]
    operator: ExampleApplication
    choose: Callable[[Sequence[Node]], Node]
    name: str = ""
    _token: str = ""
    _clients: dict[str, httpx2.Client] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.actor = f"application:{self.operator.application_id}"

    def do(self, action: Action, subject: str) -> Answer:
        """Ask a node, and again with the same key where a creation was not told of."""
        spelling = SPELLINGS[action]
        headers = {"Idempotency-Key": str(uuid.uuid4())} if action in _CREATING else {}
        node = self.choose(self.nodes)
        self.name = node.name
        if not self._token and not self._get_token():
            return Answer(Outcome.NOT_DONE, {})
        answer = self._ask(node, spelling, subject, headers)
        # The same key at another node: what was done is told, and not done again (Z34).
        for _ in range(3 if headers else 0):
            if answer.outcome is not Outcome.UNKNOWN or answer.complaint:
                break
            again = self._ask(self.choose(self.nodes), spelling, subject, headers)
            if again.outcome is Outcome.DONE or again.complaint:
                answer = again
        return answer

    def _ask(self, node: Node, spelling: Spelling, subject: str, headers: Mapping[str, str]) -> Answer:
        client = self._client(node)
        body = spelling.body
        if body is not None:
            body = {name: subject if value == "{}" else value for name, value in body.items()}
        try:
            response = client.post(
                spelling.path.format(subject), json=body, headers={**headers, "Authorization": f"Bearer {self._token}"}
            )
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Answer(Outcome.NOT_DONE, {})
        except httpx2.TransportError:
            return Answer(Outcome.UNKNOWN, {})
        if response.is_success:
            return Answer(Outcome.DONE, response.json())
        if response.status_code == 401:
            self._token = ""
        if response.status_code == 503:
            complaint = "" if "retry-after" in response.headers else f"a 503 without Retry-After from {node.name}"
            return Answer(Outcome.UNKNOWN, {}, complaint)
        if response.status_code >= 500:
            return Answer(Outcome.UNKNOWN, {}, f"{response.status_code} from {node.name}: {response.text[:200]}")
        return Answer(Outcome.NOT_DONE, {"status": response.status_code})

    def _get_token(self) -> bool:
        for node in sorted(self.nodes, key=lambda _: os.urandom(1)):
            with suppress(httpx2.TransportError):
                response = self._client(node).post(TOKEN_PATH, json=self.operator.credentials(), timeout=3.0)
                if response.status_code == 200:
                    self._token = response.json()["accessToken"]
                    return True
        return False

    def _client(self, node: Node) -> httpx2.Client:
        if node.name not in self._clients:
            self._clients[node.name] = httpx2.Client(
                base_url=f"http://127.0.0.1:{node.port}",
                trust_env=False,
                timeout=httpx2.Timeout(_PATIENCE, connect=2.0),
            )
        return self._clients[node.name]

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()


@dataclass
class CommandLine(Way):
    """A command in a process of its own."""

    environment: Mapping[str, str]
    name: str = "command line"

    def __post_init__(self) -> None:
        self.actor = command_actor()

    def do(self, action: Action, subject: str) -> Answer:
        """Run the command."""
        arguments = [argument.format(subject) for argument in SPELLINGS[action].command]
        try:
            done = subprocess.run(
                [COMMAND, *arguments],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=2 * _PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Answer(Outcome.UNKNOWN, {}, f"no end of {' '.join(arguments[:2])}")
        if done.returncode == 0:
            return Answer(Outcome.DONE, json.loads(done.stdout) if "--json" in arguments else {})
        said = done.stderr.strip()
        is_defect = "a defect of Sensos Auth" in said or "Traceback" in said
        return Answer(Outcome.UNKNOWN, {}, said[-300:] if is_defect else "")


@dataclass
class UseCases(Way):
    """The functions that both of the others call, in this process."""

    url: str
    master_key_file: Path
    actor: str
    name: str = "use cases"
    _registry: Registry | None = None

    def do(self, action: Action, subject: str) -> Answer:
        """Call the function."""
        try:
            if self._registry is None:
                self._registry = open_registry(self.url)
            return Answer(Outcome.DONE, self._do(self._registry, action, subject))
        except RegistryUnavailable:
            return Answer(Outcome.UNKNOWN, {})
        except SensosAuthError as error:
            return Answer(Outcome.NOT_DONE, {"error": str(error)})
        except Exception as error:  # noqa: BLE001 - whatever it is, it should have been told as unavailable
            return Answer(Outcome.UNKNOWN, {}, f"{type(error).__name__}: {error}")

    def _do(self, registry: Registry, action: Action, subject: str) -> Mapping[str, Any]:
        if action in {Action.ROTATE_KEY, Action.REVOKE_KEY}:
            return self._change_keys(registry, action, subject)
        simple: dict[Action, Callable[[Change, str], object]] = {
            Action.DISABLE_APPLICATION: disable_application,
            Action.ENABLE_APPLICATION: enable_application,
            Action.DISABLE_TENANT: disable_tenant,
            Action.ENABLE_TENANT: enable_tenant,
            Action.VOID_APPLICATION: void_tokens_of_application,
            Action.REVOKE_SECRET: revoke_secret,
            Action.REVOKE_SECRET_AND_TOKENS: lambda change, secret: revoke_secret(change, secret, with_tokens=True),
            Action.REVOKE_TOKEN: revoke_token,
        }
        with registry.change(self.actor) as change:
            if action is Action.CREATE_SECRET:
                kept, shown = create_secret(change, application_id=subject)
                return {"secretId": kept.secret_id, "applicationSecret": shown}
            if action is Action.ROTATE_SECRET:
                rotation = rotate_secret(change, application_id=subject, old_end_in=1)
                ending = [{"secretId": old.secret_id, "expiresAt": old.expires_at} for old in rotation.ending]
                new = rotation.new
                return {"secretId": new.kept.secret_id, "applicationSecret": new.shown, "ending": ending}
            simple[action](change, subject)
        return {}

    def _change_keys(self, registry: Registry, action: Action, subject: str) -> Mapping[str, Any]:
        master_key = parse_master_key(self.master_key_file.read_text(), "the file")
        if action is Action.ROTATE_KEY:
            return {"kid": rotate_key(registry, master_key, "ES256", actor=self.actor, immediately=True).kid}
        revoke_key(registry, master_key, "ES256", subject, actor=self.actor)
        return {}

    def close(self) -> None:
        """Close the registry."""
        if self._registry is not None:
            with closing(self._registry):
                self._registry = None
