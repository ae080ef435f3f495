"""How an operation is carried out: in the registry's thread, in one transaction, in the caller's name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from sensos_auth.issuing.issuer import TokenSettings
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.model.signing_key import Algorithm
from sensos_auth.registry import Change, Registry, View
from sensos_auth.server.management.authority import Authority
from sensos_auth.server.management.checked_request import CheckedRequest
from sensos_auth.server.management.idempotency import AnsweredBefore, RepeatableRequest, repeatable_request
from sensos_auth.server.management.operations import Kind, Operation
from sensos_auth.server.management.preconditions import Precondition, parse_if_match
from sensos_auth.server.management.replies import Reply, Written, written
from sensos_auth.server.registry_thread import RegistryThread


@dataclass(frozen=True, slots=True)
class Deployment:
    """What operations need to know of this deployment: of its tokens, and what new signing keys are made with."""

    tokens: TokenSettings
    master_key: MasterKey
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of the registry, and who asks."""

    view: View
    authority: Authority
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Changing:
    """One change of the registry, who makes it, and what it is bound to."""

    change: Change
    authority: Authority
    precondition: Precondition
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class OwnChange:
    """The registry, for a use case that opens its own change, and who makes it.

    The use case is given :meth:`.Authority.check_still_stands`, to be called in that change.
    """

    registry: Registry
    authority: Authority
    deployment: Deployment


class Endpoint:
    """What FastAPI calls for an operation: its signature without the first argument."""

    def __init__(self, operation: Operation, thread: RegistryThread, deployment: Deployment) -> None:
        self.operation = operation
        self._thread = thread
        self._deployment = deployment
        self.__name__ = operation.function.__name__
        self.__doc__ = operation.function.__doc__
        self.__signature__ = signature_for_fastapi(operation.function)

    async def __call__(self, request: Request, **values: Any) -> Response:  # noqa: ANN401 - as the operation takes them
        """Carry it out; raises what it raises."""
        assert isinstance(request, CheckedRequest)
        authority = Authority(request.caller)
        work = self._work(request, authority, values)
        return (await self._thread.run(work, authority.tenant_id)).response()

    def _work(
        self, request: CheckedRequest, authority: Authority, values: dict[str, Any]
    ) -> Callable[[Registry], Written]:
        match self.operation.kind:
            case Kind.READING:
                return lambda registry: self._read(registry, authority, values)
            case Kind.OPENING_ITS_OWN_CHANGE:
                return lambda registry: self._let_change(registry, authority, values)
            case Kind.CREATING:
                repeatable = repeatable_request(
                    request.headers.getlist("idempotency-key"),
                    application_id=authority.application_id,
                    method=request.method,
                    path=request.scope["path"],
                    document=request.document,
                )
                return lambda registry: self._change(registry, authority, Precondition(None), repeatable, values)
            case Kind.CHANGING:
                precondition = parse_if_match(request.headers.getlist("if-match"))
                return lambda registry: self._change(registry, authority, precondition, None, values)

    def _read(self, registry: Registry, authority: Authority, values: dict[str, Any]) -> Written:
        with registry.view() as view:
            return self._written(self.operation.function(Reading(view, authority, self._deployment), **values))

    def _let_change(self, registry: Registry, authority: Authority, values: dict[str, Any]) -> Written:
        return self._written(self.operation.function(OwnChange(registry, authority, self._deployment), **values))

    def _change(
        self,
        registry: Registry,
        authority: Authority,
        precondition: Precondition,
        repeatable: RepeatableRequest | None,
        values: dict[str, Any],
    ) -> Written:
        master_key = self._deployment.master_key
        try:
            with registry.change(authority.actor) as change:
                authority.check_still_stands(change)
                if repeatable is not None:
                    repeatable.look_up(change, master_key, authority)
                changing = Changing(change, authority, precondition, self._deployment)
                answer = self._written(self.operation.function(changing, **values))
                if repeatable is not None:
                    repeatable.keep(change, master_key, authority, answer)
        except AnsweredBefore as before:
            return before.answer
        return answer

    def _written(self, reply: Reply) -> Written:
        return written(reply, self.operation.status)


def signature_for_fastapi(function: Callable[..., Any]) -> inspect.Signature:
    """Return what the operation takes from a request: without its first argument, but with the request itself."""
    _, *arguments = inspect.signature(function).parameters.values()
    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    return inspect.Signature([request, *(argument.replace(kind=argument.KEYWORD_ONLY) for argument in arguments)])
