"""The revocations that a verifier knows, kept in a file: all that is live, as one page of the feed.

Written a few seconds after something new, so that a flood of revocations does not become a flood of writes, and now and
then without news, because the file tells as of when it was true. Large ones are written more rarely: a million revoked
tokens are 21 MB, and take a second.
"""

import asyncio
import math
import time
from collections.abc import Callable

import msgspec

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.verifying.kept_document import KeptDocument
from sensos_auth.verifying.revocation_state import RevocationState

_TICK = 1.0
_AFTER_NEWS, _WITHOUT_NEWS = 2.0, 30.0  # seconds between two writes, at least
_RARER, _RARER_WITHOUT_NEWS = 20.0, 200.0  # and as many times as long as the last one took


class KeptRevocations:
    """Reads ``state`` from ``document`` when it is made, and writes it there when that is due.

    ``clock`` counts seconds. ``confirmed_ago`` tells how many seconds ago what was read was complete; None if nothing
    was read.
    """

    def __init__(
        self, document: KeptDocument, state: RevocationState, issuer: str, *, clock: Callable[[], float]
    ) -> None:
        self._document = document
        self._state = state
        self._issuer = issuer
        self._clock = clock
        self._written_at = -math.inf
        self._written_version = -1
        self._cost = 0.0
        self.confirmed_ago = self._read()

    async def keep_writing(self, confirmed_at: Callable[[], float]) -> None:
        """Write the file whenever it is time, unless another process has just done so; until cancelled.

        A thread does it, so that nothing waits. ``confirmed_at`` returns as of when the state is complete.
        """
        while True:
            await asyncio.sleep(_TICK)
            if self._is_due():
                await asyncio.to_thread(self.write, confirmed_at())

    def write(self, confirmed_at: float) -> None:
        """Write the file, if there is something to keep."""
        if confirmed_at == -math.inf:
            return
        began = time.perf_counter()
        version = self._state.version
        page = self._state.as_page(self._issuer)
        self._document.save(msgspec.json.encode(page), ago=self._clock() - confirmed_at)
        self._written_version = version
        self._written_at = self._clock()
        self._cost = time.perf_counter() - began

    def has_news(self) -> bool:
        """Tell whether something came in since the last time."""
        return self._state.version != self._written_version

    def _is_due(self) -> bool:
        pause = (
            max(_AFTER_NEWS, self._cost * _RARER)
            if self.has_news()
            else max(_WITHOUT_NEWS, self._cost * _RARER_WITHOUT_NEWS)
        )
        return self._clock() - self._written_at >= pause and self._document.written_ago() >= pause

    def _read(self) -> float | None:
        loaded = self._document.load()
        if loaded is None:
            return None
        content, ago = loaded
        try:
            page = msgspec.json.decode(content, type=RevocationPage)
            self._state.apply(page)
        except (msgspec.DecodeError, InvalidInput):  # whoever wrote it, it was no verifier
            return None
        return ago
