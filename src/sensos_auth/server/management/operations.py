"""How an operation of the management API is declared: its route, who may call it, what it takes and answers.

An operation is a plain function. Its first argument says how it is carried out (:mod:`.carrying_out`): with a view,
in a change, or with a registry to open its own change on. The others come from path, query and body, as FastAPI reads
them.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from sensos_auth.server.management.authority import OPERATOR

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Kind(StrEnum):
    """How an operation is carried out."""

    READING = "reading"
    CHANGING = "changing"
    CREATING = "creating"
    OPENING_ITS_OWN_CHANGE = "opening its own change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the route table. ``scope`` holds all scopes that a token needs, space-separated.

    ``status`` and ``shown`` are those of success; ``conflict`` is when it answers 409, empty where it never does.
    """

    method: str
    path: str
    scope: str
    tag: str
    summary: str
    kind: Kind
    function: Callable[..., Any]
    status: int
    shown: type[BaseModel] | None
    example: object
    body_example: object
    conflict: str
    has_version: bool

    @property
    def operation_id(self) -> str:
        """Return its name for generated clients, such as ``createTenant``."""
        first, *rest = self.function.__name__.split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def body_members(self) -> frozenset[str]:
        """Return the names of the members that its body can have."""
        body = inspect.signature(self.function).parameters.get("body")
        if body is None:
            return frozenset()
        model: type[BaseModel] = get_args(body.annotation)[0] if get_args(body.annotation) else body.annotation
        return frozenset(str(field.alias) for field in model.model_fields.values())

    @property
    def is_of_operators(self) -> bool:
        """Tell whether it is for operators only."""
        return OPERATOR in self.scope.split()


@dataclass(slots=True)
class Operations:
    """The operations on one kind of thing, under one heading of the description. Decorators add to them."""

    tag: str
    listed: list[Operation] = field(default_factory=list)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.listed)

    def reads(
        self, path: str, *, scope: str, summary: str, shown: type[BaseModel], example: object, has_version: bool = False
    ) -> Callable[[_Function], _Function]:
        """Declare an operation that reads: GET. ``has_version`` says that the answer carries an ``ETag``."""
        return self._declare(
            "GET",
            path,
            scope=scope,
            summary=summary,
            kind=Kind.READING,
            status=200,
            shown=shown,
            example=example,
            has_version=has_version,
        )

    def creates(
        self,
        path: str,
        *,
        scope: str,
        summary: str,
        shown: type[BaseModel],
        example: object,
        body_example: object,
        conflict: str = "",
        has_version: bool = True,
    ) -> Callable[[_Function], _Function]:
        """Declare an operation that makes something: POST, 201, and safe to repeat with an ``Idempotency-Key``."""
        return self._declare(
            "POST",
            path,
            scope=scope,
            summary=summary,
            kind=Kind.CREATING,
            status=201,
            shown=shown,
            example=example,
            body_example=body_example,
            conflict=conflict,
            has_version=has_version,
        )

    def changes(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        summary: str,
        shown: type[BaseModel] | None,
        example: object = None,
        body_example: object = None,
        conflict: str = "",
        has_version: bool = True,
        kind: Kind = Kind.CHANGING,
    ) -> Callable[[_Function], _Function]:
        """Declare an operation that changes something that is there; without ``shown`` it answers 204."""
        return self._declare(
            method,
            path,
            scope=scope,
            summary=summary,
            kind=kind,
            status=204 if shown is None else 200,
            shown=shown,
            example=example,
            body_example=body_example,
            conflict=conflict,
            has_version=has_version,
        )

    def _declare(
        self,
        method: str,
        path: str,
        *,
        body_example: object = None,
        conflict: str = "",
        **declared: Any,  # noqa: ANN401
    ) -> Callable[[_Function], _Function]:
        def declare(function: _Function) -> _Function:
            self.listed.append(
                Operation(
                    method=method,
                    path=path,
                    tag=self.tag,
                    function=function,
                    body_example=body_example,
                    conflict=conflict,
                    **declared,
                )
            )
            return function

        return declare
