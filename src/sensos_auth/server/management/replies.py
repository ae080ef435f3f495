"""What an operation answers, before it is HTTP; and how it is written down for whoever asks again."""

from dataclasses import dataclass

import msgspec
from fastapi import Response
from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Reply:
    """What is shown; ``version`` is the registry version of its last change, its entity tag; ``path`` where it is."""

    content: BaseModel | None = None
    version: int | None = None
    path: str | None = None

    def __repr__(self) -> str:
        return "Reply(…)"  # its content may hold a secret


class Written(msgspec.Struct, frozen=True):
    """A reply as it is sent. Stored format: members may be added, with a default."""

    status: int
    body: bytes
    etag: str = ""
    location: str = ""

    def __repr__(self) -> str:
        return f"Written(status={self.status})"

    def response(self) -> Response:
        """Return the HTTP answer."""
        headers = {"cache-control": "no-store"}
        if self.etag:
            headers["etag"] = self.etag
        if self.location:
            headers["location"] = self.location
        return Response(self.body, self.status, headers, "application/json" if self.body else None)


def written(reply: Reply, status: int) -> Written:
    """Return the reply as it is sent."""
    body = b"" if reply.content is None else reply.content.model_dump_json(by_alias=True).encode()
    return Written(status, body, "" if reply.version is None else entity_tag(reply.version), reply.path or "")


def entity_tag(version: int) -> str:
    """Return the entity tag (RFC 9110 section 8.8.3) of what was changed last at this registry version."""
    return f'"{version}"'
