"""The application: all operations on one FastAPI, as an endpoint of ours."""

from fastapi import FastAPI

from sensos_auth.server.answers import NOT_FOUND, Answer, Endpoint
from sensos_auth.server.asgi import Message, Receive, Scope
from sensos_auth.server.asgi_endpoint import endpoint_of
from sensos_auth.server.management import (
    applications,
    audit_events,
    secrets,
    signing_keys,
    tenants,
    tokens,
    usage,
    verifiers,
)
from sensos_auth.server.management.bodies import announces_body
from sensos_auth.server.management.carrying_out import Deployment
from sensos_auth.server.management.carrying_out import Endpoint as OperationEndpoint
from sensos_auth.server.management.checked_request import CheckingRoute
from sensos_auth.server.management.operations import Operation
from sensos_auth.server.management.refusals import refuse_in_form
from sensos_auth.server.registry_thread import RegistryThread
from sensos_auth.verifying import Verifier

OPERATIONS: tuple[Operation, ...] = (
    *tenants.operations,
    *applications.operations,
    *secrets.operations,
    *signing_keys.operations,
    *tokens.operations,
    *audit_events.operations,
    *usage.operations,
    *verifiers.operations,
)
# What an access log may show of a path: none of its identifiers.
TEMPLATES = frozenset(operation.path for operation in OPERATIONS)
_PREFIXES = tuple(sorted({"/".join(path.split("/")[:3]) for path in TEMPLATES}))
_CLOSE = (b"connection", b"close")


def management_app(verifier: Verifier, thread: RegistryThread, deployment: Deployment) -> FastAPI:
    """Return the application. Its operations work on the registry in the thread."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.router.route_class = CheckingRoute
    app.state.verifier = verifier
    for operation in OPERATIONS:
        app.router.add_api_route(
            operation.path,
            OperationEndpoint(operation, thread, deployment),
            methods=[operation.method],
            status_code=operation.status,
            response_model=None,
            name=operation.operation_id,
        )
    refuse_in_form(app)
    return app


def management_endpoint(app: FastAPI) -> Endpoint:
    """Return what answers every path that no other endpoint has.

    It leaves the path as it is declared in the scope, under ``path_template``, for the log.
    """
    answer = endpoint_of(app)

    async def endpoint(scope: Scope, receive: Receive) -> Answer:
        # None of our paths needs an escape: one that has some reads differently to a gateway that judges it as it is.
        if not scope["path"].startswith(_PREFIXES) or b"%" in scope["raw_path"]:
            return NOT_FOUND
        body = _Body(scope, receive)
        try:
            answered = await answer(scope, body.receive)
        finally:
            route = scope.get("route")
            if route is not None:
                scope["path_template"] = route.path
        if not body.is_there:
            return answered
        # A body that nobody reads stands in the way of the next request.
        return answered._replace(headers=[*(h for h in answered.headers if h != _CLOSE), _CLOSE])

    return endpoint


class _Body:
    """What is left of a request's body."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._next = receive
        self._left = next((int(value) for name, value in scope["headers"] if name == b"content-length"), -1)
        self.is_there = announces_body(scope)

    async def receive(self) -> Message:
        message = await self._next()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left == 0 or not message.get("more_body", False):
                self.is_there = False
        return message
