"""What can be wrong with an answer of the token server."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer that is not as it should be.

    Without a ``status``, the token endpoint answers as usual, but ``delay`` seconds late. With one, it answers
    ``body`` and ``headers``; a body of None is the API's error object for that status. ``truncated`` breaks off in the
    middle of the body, ``dropped`` closes the connection without any answer, and ``drip`` sends the body byte by byte
    with so many seconds between.
    """

    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    truncated: bool = False
    dropped: bool = False
