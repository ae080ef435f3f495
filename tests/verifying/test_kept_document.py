import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sensos_auth.verifying.kept_document import KeptDocument

ISSUER = "https://auth.example.com"


class Now:
    """A wall clock in the test's hand."""

    def __init__(self) -> None:
        self.time = time.time()

    def __call__(self) -> float:
        """Return UTC seconds."""
        return self.time


def kept(folder: Path, what: str = "keys", issuer: str = ISSUER, now: Now | None = None) -> KeptDocument:
    """Return the document in this folder."""
    return KeptDocument(folder, what, issuer, now=now or Now())


class TestKeptDocument:
    """What is written comes back, and nothing else does."""

    def test_z72_a_document_comes_back_with_its_age(self, tmp_path: Path) -> None:
        """Counted from when it was true, by the wall clock."""
        now = Now()
        document = kept(tmp_path / "deep" / "state", now=now)
        assert document.load() is None
        document.save(b"one\ntwo\n", ago=5)
        now.time += 100
        assert kept(tmp_path / "deep" / "state", now=now).load() == (b"one\ntwo\n", 105)
        document.save(b"")
        assert document.load() == (b"", 0)

    def test_file_and_folder_are_for_their_user_alone(self, tmp_path: Path) -> None:
        """Whatever the umask; and nothing else is left in the folder."""
        previous = os.umask(0)
        try:
            document = kept(tmp_path / "state")
            document.save(b"x")
        finally:
            os.umask(previous)
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        assert stat.S_IMODE(document.path.stat().st_mode) == 0o600
        assert list((tmp_path / "state").iterdir()) == [document.path]

    def test_issuers_and_kinds_do_not_meet(self, tmp_path: Path) -> None:
        """They have files of their own, and a file that was copied over another is not taken for it."""
        first, second = kept(tmp_path / "s"), kept(tmp_path / "s", issuer="https://other.example.com")
        first.save(b"x")
        assert second.load() is None
        assert kept(tmp_path / "s", what="revocations").load() is None
        second.save(b"y")
        first.path.write_bytes(second.path.read_bytes())
        assert first.load() is None

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
    def test_a_file_that_others_can_open_is_passed_over(
        self, tmp_path: Path, mode: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With one line in the log, however often it is read."""
        document = kept(tmp_path / "s")
        document.save(b"x")
        document.path.chmod(mode)
        assert document.load() is None
        assert document.load() is None
        assert len(caplog.records) == 1
        assert "0600 in 0700" in caplog.text

    def test_a_folder_that_others_can_open_is_not_used(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Neither read nor written."""
        document = kept(tmp_path / "s")
        document.save(b"x")
        (tmp_path / "s").chmod(0o755)
        assert document.load() is None
        document.save(b"y")
        (tmp_path / "s").chmod(0o700)
        loaded = document.load()
        assert loaded is not None
        assert loaded[0] == b"x"
        assert "0600 in 0700" in caplog.text

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        """Nor is anything else opened that is no file."""
        document = kept(tmp_path / "s")
        document.save(b"x")
        document.path.rename(tmp_path / "elsewhere")
        document.path.symlink_to(tmp_path / "elsewhere")
        assert document.load() is None
        document.path.unlink()
        os.mkfifo(document.path, 0o600)
        assert document.load() is None

    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
    def test_z72_a_torn_file_is_passed_over(self, tmp_path: Path, share: float) -> None:
        """Whatever is missing from it."""
        document = kept(tmp_path / "s")
        document.save(b"x" * 1000)
        content = document.path.read_bytes()
        document.path.write_bytes(content[: int(len(content) * share)])
        assert document.load() is None

    def test_z72_no_byte_of_it_can_be_wrong(self, tmp_path: Path) -> None:
        """Each is under the checksum."""
        document = kept(tmp_path / "s")
        document.save(b"x" * 20)
        content = document.path.read_bytes()
        for position in range(len(content)):
            document.path.write_bytes(content[:position] + bytes((content[position] ^ 4,)) + content[position + 1 :])
            assert document.load() is None

    def test_z53_a_document_of_the_future_is_of_no_age(self, tmp_path: Path) -> None:
        """The clock was set back, so nobody knows how old it is: infinitely old, but for a clock's small errors."""
        now = Now()
        document = kept(tmp_path / "s", now=now)
        document.save(b"x")
        now.time -= 10
        assert document.load() == (b"x", 0)
        now.time -= 60
        assert document.load() == (b"x", float("inf"))

    def test_what_cannot_be_written_is_no_failure(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A file stands where the folder should be: one line in the log."""
        (tmp_path / "s").write_text("")
        document = kept(tmp_path / "s")
        document.save(b"x")
        document.save(b"x")
        assert document.load() is None
        assert "was not written" in caplog.text

    def test_z14_a_full_disk_leaves_the_last_one(self, tmp_path: Path) -> None:
        """The file is exchanged in one step, and what was begun is removed."""
        document = kept(tmp_path / "s")
        document.save(b"good")
        program = f"""
import resource, signal
from sensos_auth.verifying.kept_document import KeptDocument
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
KeptDocument({str(tmp_path / "s")!r}, "keys", {ISSUER!r}).save(b"x" * 1_000_000)
"""
        subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
        loaded = document.load()
        assert loaded is not None
        assert loaded[0] == b"good"
        assert list((tmp_path / "s").iterdir()) == [document.path]

    def test_what_a_killed_process_left_is_removed_after_an_hour(self, tmp_path: Path) -> None:
        """Not earlier: another process may be writing it."""
        document = kept(tmp_path / "s")
        document.save(b"x")
        left = document.path.with_name(f".{document.path.name}.0123456789abcdef")
        left.write_bytes(b"x")
        document.save(b"x")
        assert left.exists()
        os.utime(left, (time.time() - 4000, time.time() - 4000))
        document.save(b"x")
        assert not left.exists()

    def test_many_processes_may_share_a_folder(self, tmp_path: Path) -> None:
        """A reader finds a whole document at any time, whoever writes."""
        document = kept(tmp_path / "s")
        document.save(b"0" * 50_000)
        done = threading.Event()

        def write(letter: bytes) -> None:
            while not done.is_set():
                kept(tmp_path / "s").save(letter * 50_000)

        threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
        for thread in threads:
            thread.start()
        seen = set()
        for _ in range(200):
            loaded = document.load()
            assert loaded is not None
            assert len(loaded[0]) == 50_000
            seen |= set(loaded[0])
        done.set()
        for thread in threads:
            thread.join()
        assert seen <= set(b"0ab")
