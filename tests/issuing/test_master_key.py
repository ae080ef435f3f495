import base64
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from sensos_auth.issuing.key_pair import new_key_pair
from sensos_auth.issuing.master_key import MasterKey, make_master_key, parse_master_key, read_master_key
from sensos_auth.model.errors import ConfigurationError

_BYTES = bytes(range(32))


def test_what_was_sealed_is_opened() -> None:
    """Sealing twice gives two different texts, which both open, and hold nothing of the key in the clear."""
    key, private_key = MasterKey(_BYTES), new_key_pair("ES256").private_key
    first, second = key.seal("kid", private_key), key.seal("kid", private_key)
    assert first != second
    assert key.open("kid", first) == key.open("kid", second) == private_key
    assert private_key[40:60] not in first


def test_sealed_format_is_read_for_ever() -> None:
    """0x01, 12 bytes of nonce, AES-256-GCM with the key ID as associated data: a text that was sealed once."""
    sealed = bytes.fromhex("01" + "00" * 12 + "7ecedca8d458e6af5cad777501451caa2251592ea8fca3")
    assert MasterKey(_BYTES).open("kid", sealed) == b"private"


def test_sealed_key_moved_to_another_row_is_refused() -> None:
    """The key ID is bound to the private key: swapping two rows is noticed."""
    key = MasterKey(_BYTES)
    with pytest.raises(ConfigurationError, match="does not open the signing key other"):
        key.open("other", key.seal("kid", b"private"))


def test_z25_wrong_master_key_is_refused_with_the_remedy() -> None:
    """The message names the variables to set."""
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_MASTER_KEY_FILE to the master key"):
        MasterKey(bytes(32)).open("kid", MasterKey(_BYTES).seal("kid", b"private"))


@pytest.mark.parametrize("length", [1, 5, 13, 20, 30])
def test_z25_truncated_row_is_refused(length: int) -> None:
    """A sealed key that lost its end does not open."""
    key = MasterKey(_BYTES)
    with pytest.raises(ConfigurationError):
        key.open("kid", key.seal("kid", b"private")[:length])


def test_z21_every_flipped_bit_is_found() -> None:
    """The tag covers every bit of a sealed key."""
    key = MasterKey(_BYTES)
    sealed = key.seal("kid", b"private")
    for bit in range(len(sealed) * 8):
        spoilt = bytearray(sealed)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ConfigurationError):
            key.open("kid", bytes(spoilt))


def test_later_format_is_told_apart() -> None:
    """Another first byte means a newer program, not a wrong key."""
    with pytest.raises(ConfigurationError, match="newer Sensos Auth"):
        MasterKey(_BYTES).open("kid", b"\x02" + bytes(40))


@pytest.mark.parametrize(
    "text",
    [
        base64.urlsafe_b64encode(_BYTES).decode(),
        base64.urlsafe_b64encode(_BYTES).decode().rstrip("="),
        base64.b64encode(_BYTES).decode() + "\n",
        _BYTES.hex(),
        f"  {_BYTES.hex().upper()}\r\n",
    ],
)
def test_usual_ways_to_write_32_bytes_are_read(text: str) -> None:
    """base64url, base64 and hexadecimal, with blanks around."""
    assert parse_master_key(text, "X").open("kid", MasterKey(_BYTES).seal("kid", b"private")) == b"private"


@pytest.mark.parametrize(
    "text", ["", "canary", "A" * 42, "A" * 44, "0" * 63, "0" * 65, "é" * 43, "A" * 20 + " " + "A" * 22]
)
def test_z25_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """A truncated master key is refused; the message names where it came from and repeats nothing of it."""
    with pytest.raises(ConfigurationError, match=r"^SENSOS_AUTH_MASTER_KEY does not hold") as caught:
        parse_master_key(text, "SENSOS_AUTH_MASTER_KEY")
    assert text == "" or text not in str(caught.value)


def test_representation_shows_nothing() -> None:
    """A master key that is printed by mistake shows no byte of it."""
    assert repr(MasterKey(_BYTES)).startswith("<sensos_auth.issuing.master_key.MasterKey object")
    assert not hasattr(MasterKey(_BYTES), "__dict__")


def test_made_file_is_private_and_read_again(tmp_path: Path) -> None:
    """The file is 0600 in a folder of 0700, whatever the umask, and nothing else is left there."""
    path = tmp_path / "new" / "master.key"
    before = os.umask(0)
    try:
        make_master_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]
    assert len(path.read_text().strip()) == 43
    assert read_master_key(path) is not None


def test_existing_file_is_never_replaced(tmp_path: Path) -> None:
    """Making it again leaves what is there."""
    path = tmp_path / "master.key"
    make_master_key(path)
    text = path.read_text()
    make_master_key(path)
    assert path.read_text() == text


def test_missing_file_is_none(tmp_path: Path) -> None:
    """The caller decides what a missing file means."""
    assert read_master_key(tmp_path / "master.key") is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_z25_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """The message names the file and the remedy; the mode is not changed silently."""
    path = tmp_path / "master.key"
    make_master_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"mode {mode:o}.: run chmod 600 {path}"):
        read_master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize(("mode", "is_read"), [(0o440, True), (0o640, True), (0o444, False), (0o660, False)])
def test_file_that_root_hands_to_a_group(mode: int, *, is_read: bool) -> None:
    """It is read, as Kubernetes and systemd hand over secrets, unless others can read it or the group can write it."""
    if os.geteuid() != 0:
        pytest.skip("only root can make such a file")
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is closed to others
        path = Path(folder) / "master.key"
        make_master_key(path)
        Path(folder).chmod(0o755)
        path.chmod(mode)
        os.chown(path, 0, 65_534)
        os.setegid(65_534)
        os.seteuid(65_534)
        try:
            with nullcontext() if is_read else pytest.raises(ConfigurationError, match=f"mode {mode:o}"):
                assert read_master_key(path) is not None
        finally:
            os.seteuid(0)
            os.setegid(0)


@pytest.mark.parametrize("content", [b"", b"A" * 42, b"\xff" * 43, b"A" * 5000])
def test_z25_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty, truncated or foreign file is refused by its name."""
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(path)):
        read_master_key(path)


def test_unwritable_folder_is_refused(tmp_path: Path) -> None:
    """Where the file can't be made, the message names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        make_master_key(tmp_path / "file" / "master.key")


def test_two_processes_at_once_make_one_key(tmp_path: Path) -> None:
    """Of several that start at the same moment, all read the key of the one that was first."""
    path = tmp_path / "data" / "master.key"
    program = (
        "import sys; from pathlib import Path; from sensos_auth.issuing.master_key import make_master_key; path = Path("
        "sys.argv[1]); sys.stdin.readline(); make_master_key(path); print(path.read_text(), end='')"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    seen = {process.communicate()[0] for process in started}
    assert seen == {path.read_text()}
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]
