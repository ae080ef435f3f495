"""The audit trail as JSON lines: one event a line, from which the chain can be checked without the registry.

Published format: members may be added, none is removed or given another meaning. ``at`` is UTC ISO 8601, ``hash`` in
hexadecimal, ``null`` for an event from before there was a chain.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.iso_time import iso_time, seconds_of
from sensos_auth.registry.audit import AuditEvent
from sensos_auth.registry.audit_chain import StoredEvent

_LONGEST_LINE = 1 << 20


class ExportedEvent(NamedTuple):
    """An event of an export, as it was stored, and its hash."""

    event: StoredEvent
    hash: bytes | None


_Counted = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class _Line(msgspec.Struct, frozen=True, rename="camel"):
    version: _Counted
    position: _Counted
    at: str
    actor: str
    action: str
    tenant_id: str | None
    subject: str
    details: dict[str, str | int]
    hash: str | None


_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def export_line(event: AuditEvent) -> bytes:
    """Return the event as one line, with its end."""
    line = _Line(
        version=event.version,
        position=event.position,
        at=iso_time(event.at),
        actor=event.actor,
        action=event.action,
        tenant_id=event.tenant_id,
        subject=event.subject,
        details=event.details,
        hash=None if event.hash is None else event.hash.hex(),
    )
    return _encode(line) + b"\n"


def read_export(path: Path) -> Iterator[ExportedEvent]:
    """Yield the events of an export in its order; a line that repeats the one before it is passed over.

    So is a last line without its end, which is what a kill leaves. Raises InvalidInput for a line that is no event, and
    for one that goes back.
    """
    before: ExportedEvent | None = None
    number = 0
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if not line.endswith(b"\n"):
                if file.read(1):
                    raise InvalidInput(f"{path}, line {number}: this is no exported audit event")
                return
            exported = parse_line(line, f"{path}, line {number}")
            if before is not None and exported.event[:2] <= before.event[:2]:
                if exported == before:
                    continue
                raise InvalidInput(f"{path}, line {number}: this event is older than the one before it")
            before = exported
            yield exported


def parse_line(line: bytes, where: str) -> ExportedEvent:
    """Return the event on the line; raises InvalidInput that names ``where``."""
    try:
        read = _decode(line)
        at = seconds_of(read.at)
        digest = None if read.hash is None else bytes.fromhex(read.hash)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        raise InvalidInput(f"{where}: this is no exported audit event") from None
    details = json.dumps(read.details)
    event = StoredEvent(read.version, read.position, at, read.actor, read.action, read.tenant_id, read.subject, details)
    return ExportedEvent(event, digest)
