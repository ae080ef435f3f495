import asyncio
import contextlib
import math
import time
from pathlib import Path

import msgspec
import pytest

from sensos_auth.model.revocation import Provenance
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.verifying.kept_document import KeptDocument
from sensos_auth.verifying.kept_revocations import KeptRevocations
from sensos_auth.verifying.revocation_state import RevocationState

ISSUER = "https://auth.example.com"
NOW = int(time.time())
TOKEN = Provenance("kid", "jti", "ten", "app", "sec", 1)


def page(version: int) -> RevocationPage:
    """Return a page that voids some token, and is complete up to the version."""
    digest = version.to_bytes(16)
    return RevocationPage(issuer=ISSUER, since=0, version=version, as_of=NOW, tokens=[(NOW + 3600, digest)])


def kept(folder: Path, state: RevocationState) -> KeptRevocations:
    """Return what is kept of the state in the folder."""
    return KeptRevocations(KeptDocument(folder, "revocations", ISSUER), state, ISSUER, clock=time.monotonic)


class TestKeptRevocations:
    """What a verifier knew is known again."""

    def test_z72_what_is_written_is_read(self, tmp_path: Path) -> None:
        """With the version, and how old it is."""
        state = RevocationState()
        state.apply(page(7))
        keeper = kept(tmp_path, state)
        assert keeper.confirmed_ago is None
        keeper.write(time.monotonic() - 50)
        again = RevocationState()
        assert kept(tmp_path, again).confirmed_ago == pytest.approx(50, abs=5)
        assert again.as_page(ISSUER) == state.as_page(ISSUER)
        assert (again.version, again.as_of) == (7, NOW)

    def test_what_was_never_complete_is_not_written(self, tmp_path: Path) -> None:
        """It would be read as if it were."""
        keeper = kept(tmp_path, RevocationState())
        keeper.write(-math.inf)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [b"", b"[]", b"{}", msgspec.json.encode({"issuer": ISSUER})])
    def test_a_document_that_is_no_page_is_passed_over(self, tmp_path: Path, content: bytes) -> None:
        """Whoever wrote it, it was no verifier."""
        KeptDocument(tmp_path, "revocations", ISSUER).save(content)
        state = RevocationState()
        assert kept(tmp_path, state).confirmed_ago is None
        assert state.entries() == 0

    def test_news_are_written_within_seconds_and_by_one_of_many(self, tmp_path: Path) -> None:
        """Of several that share a folder, the next does not write what another has just written."""

        async def keep(keepers: list[KeptRevocations], seconds: float) -> None:
            tasks = [asyncio.create_task(keeper.keep_writing(time.monotonic)) for keeper in keepers]
            await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

        states = [RevocationState() for _ in range(2)]
        first, second = (kept(tmp_path, state) for state in states)
        for state in states:
            state.apply(page(7))
        asyncio.run(keep([first], 1.1))
        asyncio.run(keep([second], 1.1))
        assert (first.has_news(), second.has_news()) == (False, True)
        again = RevocationState()
        assert kept(tmp_path, again).confirmed_ago is not None
        assert again.version == 7

    def test_z72_what_is_older_does_not_replace_what_is_newer(self, tmp_path: Path) -> None:
        """Of two that share a folder, one may have been stopped, or cut off: it knows less, and must not be read."""
        newer, older = RevocationState(), RevocationState()
        newer.apply(page(9))
        older.apply(page(7))
        kept(tmp_path, newer).write(time.monotonic())
        kept(tmp_path, older).write(time.monotonic() - 20)
        again = RevocationState()
        kept(tmp_path, again)
        assert again.version == 9
