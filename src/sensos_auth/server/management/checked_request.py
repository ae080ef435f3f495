"""A request is checked before FastAPI reads anything of it: first who calls, then whether its body is JSON, in full."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from sensos_auth.model.errors import InvalidInput
from sensos_auth.server.management.bodies import announces_body, read_document
from sensos_auth.verifying import Caller, authenticate

if TYPE_CHECKING:
    from sensos_auth.server.management.operations import Operation
    from sensos_auth.verifying import Verifier

_A_DOCUMENT = b"{}"  # what FastAPI looks at to see that there is a body


class CheckedRequest(Request):
    """A request whose caller is known to hold the operation's scopes, and whose body has been read."""

    def __init__(self, request: Request, caller: Caller, document: dict[str, object] | None) -> None:
        super().__init__(request.scope, request.receive)
        self.caller = caller
        self.document = document

    async def body(self) -> bytes:
        """Return bytes that stand for the body, none where it has none."""
        return b"" if self.document is None else _A_DOCUMENT

    async def json(self) -> Any:  # noqa: ANN401 - as Starlette has it
        """Return the body, parsed."""
        return self.document


class CheckingRoute(APIRoute):
    """A route that FastAPI makes of an operation, behind those checks."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        answer = super().get_route_handler()
        operation: Operation = self.endpoint.operation  # type: ignore[attr-defined]
        is_patch = operation.method == "PATCH"
        body = self.body_field
        needs_body = body is not None and body.field_info.is_required()

        async def checked(request: Request) -> Response:
            verifier: Verifier = request.app.state.verifier
            shown = [value for name, value in request.scope["headers"] if name == b"authorization"]
            caller = authenticate(verifier, shown, scope=operation.scope)
            _refuse_repeated_parameters(request)
            document = None
            if needs_body or (body is not None and announces_body(request.scope)):
                document = await read_document(request.scope, request.receive, is_patch=is_patch)
            return await answer(CheckedRequest(request, caller, document))

        return checked


def _refuse_repeated_parameters(request: Request) -> None:
    if not request.scope["query_string"]:
        return
    names = [name for name, _ in request.query_params.multi_items()]
    if len(set(names)) < len(names):
        raise InvalidInput("a parameter of the query is given twice")
