"""What the revocation feed weighs on the wire, and what a Token Status List would. See ``benchmarks/README.md``."""

import argparse
import json
import os
import random
import sys
import tempfile
import time
import zlib
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
from tabulate import tabulate

from benchmarks.token_endpoint.places import BUILD
from sensos_auth.issuing.feed_signer import FeedSigner, keep_feed_key, open_feed_signer
from sensos_auth.issuing.key_pair import load_signature_function, new_key_pair
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.minting import new_token_id
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.revocations import PAGE_LIMIT, revocation_page, revoke_token
from sensos_auth.verifying.revocation_state import RevocationState

ISSUER = "https://auth.example.com"
_LIFETIME = 36_000  # seconds
_TOGETHER = 200  # revoked in one change
_GZIP_LEVEL = 6
# The draft recommends the highest level.
_STATUS_LIST_LEVEL = 9
_RESULT = BUILD / "revocation_wire.json"
_LARGEST = 40_000_000  # bytes, compressed, for a million revoked tokens


@dataclass
class Way:
    """One way to tell who is revoked, in bytes and seconds."""

    what: str
    full_raw: int
    full_compressed: int
    one_more_raw: int
    one_more_compressed: int
    make_full_seconds: float
    make_one_more_seconds: float
    take_in_full_seconds: float | None = None


def main() -> int:
    """Measure; return 1 when the feed weighs more than its floor allows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--revoked", type=int, default=1_000_000, help="revoked tokens (1000000)")
    parser.add_argument(
        "--issued", type=int, nargs="*", default=[10_000_000, 100_000_000], help="tokens in the status lists"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ways = [_feed(Path(folder), options.revoked)]
    ways += [_status_list(issued, options.revoked) for issued in options.issued]
    rows = [
        [
            way.what,
            f"{way.full_raw / 1e6:.2f}",
            f"{way.full_compressed / 1e6:.2f}",
            way.one_more_raw,
            way.one_more_compressed,
            f"{way.make_full_seconds * 1000:,.0f}",
            f"{way.make_one_more_seconds * 1000:,.2f}",
            "-" if way.take_in_full_seconds is None else f"{way.take_in_full_seconds * 1000:,.0f}",
        ]
        for way in ways
    ]
    headers = ["", "full MB", "gzip MB", "one more B", "gzip B", "make full ms", "make one more ms", "take in full ms"]
    print(f"\n{options.revoked:,} revoked tokens\n")
    print(tabulate(rows, headers=headers, disable_numparse=True, stralign="right"))
    _RESULT.parent.mkdir(parents=True, exist_ok=True)
    _RESULT.write_text(json.dumps([asdict(way) for way in ways], indent=2) + "\n")
    print(f"\nAll figures: {_RESULT}")
    return 0 if ways[0].full_compressed * 1_000_000 <= _LARGEST * max(options.revoked, 1_000_000) else 1


def _feed(folder: Path, revoked: int) -> Way:
    registry = open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")
    master_key = MasterKey(os.urandom(32))
    keep_feed_key(registry, master_key)
    signer = open_feed_signer(registry, master_key)
    _revoke(registry, revoked)

    state = RevocationState()
    raw = compressed = since = 0
    reading = taking_in = slowest = 0.0
    pages = 0
    more = True
    while more:
        started = time.perf_counter()
        body, signature = _page(registry, signer, since)
        took = time.perf_counter() - started
        reading, slowest, pages = reading + took, max(slowest, took), pages + 1
        raw += len(body) + len(signature)
        compressed += len(zlib.compress(body, _GZIP_LEVEL)) + len(signature)
        started = time.perf_counter()
        page = msgspec.json.decode(body, type=RevocationPage)
        state.apply(page)
        taking_in += time.perf_counter() - started
        since, more = page.version, page.more
    assert state.entries() == revoked
    print(
        f"{pages} pages of about {PAGE_LIMIT} entries, read and signed in {reading / pages * 1000:.1f} ms each, "
        f"{slowest * 1000:.1f} ms at most"
    )
    print(f"registry file: {(folder / 'registry.sqlite3').stat().st_size / 1e6:.0f} MB")

    _revoke(registry, 1)
    started = time.perf_counter()
    body, signature = _page(registry, signer, since)
    one_more = time.perf_counter() - started
    registry.close()
    return Way(
        "revocation feed",
        raw,
        compressed,
        len(body) + len(signature),
        len(zlib.compress(body, _GZIP_LEVEL)) + len(signature),
        reading,
        one_more,
        taking_in,
    )


def _revoke(registry: Registry, number: int) -> None:
    for start in range(0, number, _TOGETHER):
        with registry.change("benchmark") as change:
            for _ in range(min(_TOGETHER, number - start)):
                expires_at = change.now + random.randint(600, _LIFETIME)  # noqa: S311 - when it was issued
                revoke_token(change, new_token_id(), expires_at=expires_at)


def _page(registry: Registry, signer: FeedSigner, since: int) -> tuple[bytes, bytes]:
    with registry.view() as view:
        page = revocation_page(view, ISSUER, since)
    body = msgspec.json.encode(page)
    return body, signer.sign(body)


def _status_list(issued: int, revoked: int) -> Way:
    """Return what a Status List Token costs: one bit for each issued token, compressed, in a signed JWT."""
    pair = new_key_pair("EdDSA")
    sign = load_signature_function("EdDSA", pair.private_key)
    bits = bytearray(-(-issued // 8))
    for index in random.sample(range(issued), revoked):
        bits[index >> 3] |= 1 << (index & 7)
    started = time.perf_counter()
    compressed = zlib.compress(bytes(bits), _STATUS_LIST_LEVEL)
    claims = {
        "sub": f"{ISSUER}/status/1",
        "iat": int(time.time()),
        "ttl": 60,
        "status_list": {"bits": 1, "lst": _base64url(compressed)},
    }
    header = {"alg": "EdDSA", "typ": "statuslist+jwt", "kid": pair.kid}
    message = _base64url(msgspec.json.encode(header)) + "." + _base64url(msgspec.json.encode(claims))
    token = f"{message}.{_base64url(sign(message.encode()))}".encode()
    made = time.perf_counter() - started
    started = time.perf_counter()
    zlib.decompress(compressed)
    taking_in = time.perf_counter() - started
    again = len(zlib.compress(token, _GZIP_LEVEL))
    # There are no deltas: one revocation more is the whole list again.
    return Way(f"status list, {issued:,} issued", len(token), again, len(token), again, made, made, taking_in)


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    sys.exit(main())
