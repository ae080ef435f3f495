"""ATTACKS group D: signatures and encodings that are almost right."""

import json
import time
from base64 import b64encode, urlsafe_b64decode
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying import InvalidToken
from tests.verifying.issued import GOOD_TOKEN, KEY, VERIFIER, IssuingKey, as_bytes, good_claims, verifier_for

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HEADER, PAYLOAD, SIGNATURE = GOOD_TOKEN.split(".")
MESSAGE = f"{HEADER}.{PAYLOAD}"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
RAW_SIGNATURE = urlsafe_b64decode(SIGNATURE + "==")
R, S = int.from_bytes(RAW_SIGNATURE[:32]), int.from_bytes(RAW_SIGNATURE[32:])
KEYS = {"ES256": KEY, "RS256": IssuingKey("RS256"), "EdDSA": IssuingKey("EdDSA")}
RSA_MODULUS = int.from_bytes(urlsafe_b64decode(KEYS["RS256"].jwk["n"] + "=="))
ED_ORDER = (1 << 252) + 27742317777372353535851937790883648493


def _refused(token: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        VERIFIER.verify(token)
    return refused.value.reason


def _with_signature(signature: bytes) -> str:
    return f"{MESSAGE}.{base64url(signature).decode()}"


def test_good_token_is_good() -> None:
    """What the attacks of this file start from is accepted."""
    assert VERIFIER.verify(GOOD_TOKEN).tenant_id


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "...", "a", "a.b", "a.b.c.d", "a.b.c.d.e", ".a.", "a..", "..a"),
        *(HEADER, MESSAGE, f"{MESSAGE}.", f"{MESSAGE}..", f".{PAYLOAD}.{SIGNATURE}", f"{HEADER}..{SIGNATURE}"),
        *(f"{GOOD_TOKEN}.", f".{GOOD_TOKEN}", f"{GOOD_TOKEN}.{SIGNATURE}", f"{HEADER}.{GOOD_TOKEN}"),
    ],
    ids=range(21),
)
def test_d01_not_three_full_parts_are_refused(token: str) -> None:
    """Missing, empty and additional parts are refused."""
    _refused(token)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 62, 63, 65, 66, 96, 128])
def test_d02_signature_of_another_length_is_refused(length: int) -> None:
    """A signature cut short, extended or followed by zeros is refused."""
    signature = R.to_bytes(32) + S.to_bytes(32)
    _refused(_with_signature((signature + bytes(128))[:length]))
    _refused(_with_signature((bytes(128) + signature)[-length:] if length else b""))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "tenant_id", "scope"])
def test_d03_changed_payload_is_refused(name: str) -> None:
    """A payload with one claim changed does not fit the signature."""
    claims = good_claims()
    claims[name] = claims[name] + (1 if isinstance(claims[name], int) else "x")  # type: ignore[operator]
    assert _refused(f"{HEADER}.{base64url(as_bytes(claims)).decode()}.{SIGNATURE}") == "wrong signature"


def test_d04_changed_header_is_refused() -> None:
    """A header that says the same in other bytes does not fit the signature."""
    header = base64url(json.dumps(KEY.header(), indent=1).encode()).decode()
    assert _refused(f"{header}.{PAYLOAD}.{SIGNATURE}") == "wrong signature"


SPECIAL = {"0": 0, "1": 1, "n-1": P256_ORDER - 1, "n": P256_ORDER}


@pytest.mark.parametrize(("r", "s"), list(product(SPECIAL, repeat=2)))
def test_d05_special_values_are_no_signature(r: str, s: str) -> None:
    """All 16 pairs of 0, 1, n-1 and n are refused (CVE-2022-21449)."""
    assert _refused(_with_signature(SPECIAL[r].to_bytes(32) + SPECIAL[s].to_bytes(32))) == "wrong signature"


@pytest.mark.parametrize("size", [32, 33, 48, 64])
def test_d06_numbers_beyond_the_order_are_refused(size: int) -> None:
    """Numbers r + n and s + n, which mean the same modulo n, and the largest numbers are refused."""
    for r, s in ((R + P256_ORDER, S), (R, S + P256_ORDER), ((1 << 256) - 1, S), (R, (1 << 256) - 1)):
        if max(r, s).bit_length() <= size * 8:
            _refused(_with_signature(r.to_bytes(size) + s.to_bytes(size)))


def test_d07_signature_in_der_is_refused() -> None:
    """The other encoding of the same signature is refused."""
    _refused(_with_signature(encode_dss_signature(R, S)))


def test_d08_malleated_signature_changes_nothing_but_the_text() -> None:
    """(r, n-s) verifies too, by the design of ECDSA: the caller and the token ID are the same, so key on those."""
    other = _with_signature(R.to_bytes(32) + (P256_ORDER - S).to_bytes(32))
    assert other != GOOD_TOKEN
    assert VERIFIER.verify(other) == VERIFIER.verify(GOOD_TOKEN)


@pytest.mark.parametrize(
    "value", [0, 1, RSA_MODULUS - 1, RSA_MODULUS, RSA_MODULUS + 1], ids=["0", "1", "n-1", "n", "n+1"]
)
def test_d11_special_rsa_signatures_are_refused(value: int) -> None:
    """0, 1, n-1 and what is not reduced are no RSA signatures."""
    key = KEYS["RS256"]
    message = key.token().rpartition(".")[0]
    with pytest.raises(InvalidToken):
        verifier_for(key).verify(f"{message}.{base64url(value.to_bytes(256)).decode()}")


def test_d11_rsa_signature_with_zeros_or_not_reduced_is_refused() -> None:
    """A good RSA signature with zeros before it, or the modulus added to it, is refused."""
    key = KEYS["RS256"]
    message, _, signature = key.token().rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    for changed in (b"\0" + raw, raw + b"\0", (int.from_bytes(raw) + RSA_MODULUS).to_bytes(257)):
        with pytest.raises(InvalidToken):
            verifier_for(key).verify(f"{message}.{base64url(changed).decode()}")


def test_d12_ed25519_number_beyond_the_order_is_refused() -> None:
    """S + L, which means the same modulo L, is refused (RFC 8032 section 5.1.7)."""
    key = KEYS["EdDSA"]
    message, _, signature = key.token().rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    s = int.from_bytes(raw[32:], "little") + ED_ORDER
    with pytest.raises(InvalidToken):
        verifier_for(key).verify(f"{message}.{base64url(raw[:32] + s.to_bytes(32, 'little')).decode()}")


@pytest.mark.parametrize("point", [b"\x01" + bytes(31), bytes(32), b"\xec" + b"\xff" * 30 + b"\x7f"], ids=range(3))
def test_d12_small_order_points_are_refused(point: bytes) -> None:
    """A point of small order with S = 0 is no signature."""
    key = KEYS["EdDSA"]
    message = key.token().rpartition(".")[0]
    with pytest.raises(InvalidToken):
        verifier_for(key).verify(f"{message}.{base64url(point + bytes(32)).decode()}")


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda part: part + "=", id="d13-one-padding"),
        pytest.param(lambda part: part + "==", id="d13-two-paddings"),
        pytest.param(lambda part: part + "=" * (-len(part) % 4 or 4), id="d13-right-padding"),
        pytest.param(lambda part: part + " ", id="d15-space"),
        pytest.param(lambda part: " " + part, id="d15-space-before"),
        pytest.param(lambda part: part[:5] + "\n" + part[5:], id="d15-newline"),
        pytest.param(lambda part: part + "\n", id="d15-newline-at-end"),
        pytest.param(lambda part: part + "\r", id="d15-carriage-return"),
        pytest.param(lambda part: part[:5] + "\t" + part[5:], id="d15-tab"),
        pytest.param(lambda part: part[:5] + "\0" + part[5:], id="d15-nul"),
        pytest.param(lambda part: part[:5] + "?" + part[5:], id="d15-question-mark"),
        pytest.param(lambda part: part[:5] + "%2E" + part[5:], id="d15-percent"),
        pytest.param(lambda part: part[:5] + "\u200b" + part[5:], id="d15-zero-width"),
        pytest.param(lambda part: part[:5] + "\N{FULLWIDTH LATIN CAPITAL LETTER A}" + part[5:], id="d21-full-width"),
        pytest.param(lambda part: part + "A" * (1 + (1 - len(part) - 1) % 4), id="d17-impossible-length"),
        pytest.param(lambda part: part + "AAAA", id="three-zero-bytes"),
        pytest.param(lambda part: "AAAA" + part, id="three-zero-bytes-before"),
        pytest.param(lambda part: part.swapcase(), id="other-case"),
        pytest.param(lambda part: part[::-1], id="backwards"),
    ],
)
def test_d13_d15_d17_parts_are_written_in_one_way(part: int, change: object) -> None:
    """Padding, foreign characters, impossible lengths and additional bytes are refused in each part."""
    assert callable(change)
    parts = GOOD_TOKEN.split(".")
    parts[part] = change(parts[part])
    _refused(".".join(parts))


def test_d14_other_alphabet_is_refused() -> None:
    """The same bytes in base64 with + and / are refused."""
    header = base64url(as_bytes(KEY.header(x="???>>>~~~"))).decode()
    message = f"{header}.{PAYLOAD}"
    assert {"-", "_"} & set(header)
    good = KEY.sign(KEY.header(x="???>>>~~~"), good_claims())
    assert VERIFIER.verify(good).tenant_id
    plain = b64encode(as_bytes(KEY.header(x="???>>>~~~"))).decode().rstrip("=")
    _refused(plain + good.removeprefix(message.partition(".")[0]))


@pytest.mark.parametrize("part", [0, 1, 2])
def test_d16_stray_bits_are_refused(part: int) -> None:
    """The unused bits of a last character must be zero, in each part."""
    for filling in ("", "x", "xx"):
        token = KEY.sign(KEY.header(x=filling), good_claims(x=filling))
        parts = token.split(".")
        if len(parts[part]) % 4 == 0:
            continue
        assert VERIFIER.verify(token).tenant_id
        last = ALPHABET.index(parts[part][-1])
        parts[part] = parts[part][:-1] + ALPHABET[last + 1]
        assert _refused(".".join(parts)) == "not canonical base64url"


@pytest.mark.parametrize(
    "token",
    [
        json.dumps({"protected": HEADER, "payload": PAYLOAD, "signature": SIGNATURE}),
        json.dumps({"payload": PAYLOAD, "signatures": [{"protected": HEADER, "signature": SIGNATURE}]}),
        f'{{"protected":"{HEADER}","payload":"{PAYLOAD}","x":".{PAYLOAD}.","signature":"{SIGNATURE}"}}',
    ],
    ids=["flattened", "general", "polyglot"],
)
def test_d19_json_serialization_is_refused(token: str) -> None:
    """A token is the compact serialization and nothing else (RFC 7519 section 1)."""
    _refused(token)


@pytest.mark.parametrize(
    "token",
    [
        *(f"Bearer {GOOD_TOKEN}", f"bearer{GOOD_TOKEN}", f'"{GOOD_TOKEN}"', f"'{GOOD_TOKEN}'"),
        *(
            GOOD_TOKEN.replace(".", "%2E"),
            f"{GOOD_TOKEN},{GOOD_TOKEN}",
            f"{GOOD_TOKEN} {GOOD_TOKEN}",
            f"\ufeff{GOOD_TOKEN}",
        ),
    ],
    ids=range(8),
)
def test_d20_wrapped_token_is_refused(token: str) -> None:
    """A token with its scheme, in quotation marks, escaped or twice is refused."""
    _refused(token)


@pytest.mark.parametrize("token", ["é", "\ud800", "ß" * 8192, GOOD_TOKEN + "\udcff"], ids=range(4))
def test_d21_non_ascii_text_is_refused(token: str) -> None:
    """Text beyond ASCII, even what is no Unicode, is refused as everything else."""
    _refused(token)


@pytest.mark.parametrize("size", [8193, 1_000_000, 100_000_000])
def test_d22_large_tokens_cost_nothing(size: int) -> None:
    """A token beyond 8 KiB is refused without being read."""
    token = "A" * size
    started = time.perf_counter()
    assert _refused(token) == "too large"
    assert time.perf_counter() - started < 0.01


def test_d28_claims_are_not_read_before_the_signature() -> None:
    """Of an expired token with a wrong signature, only the signature is complained of."""
    token = IssuingKey().sign(KEY.header(), b"no JSON at all")
    assert _refused(token) == "wrong signature"


@given(st.integers(0, len(GOOD_TOKEN) - 1), st.integers(0, 7))
def test_no_bit_of_the_text_may_change(position: int, bit: int) -> None:
    """Any bit of the token's text, flipped, makes a token that is refused."""
    text = bytearray(GOOD_TOKEN.encode())
    text[position] ^= 1 << bit
    _refused(text.decode("latin-1"))


@given(st.sampled_from(sorted(KEYS)), st.sampled_from([0, 1, 2]), st.data())
def test_no_bit_of_a_part_may_change(algorithm: str, part: int, data: st.DataObject) -> None:
    """Any bit of header, payload or signature, flipped, makes a token that is refused, with each algorithm."""
    token = TOKENS[algorithm]
    parts = token.split(".")
    raw = bytearray(urlsafe_b64decode(parts[part] + "=="))
    position = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[position // 8] ^= 1 << (position % 8)
    parts[part] = base64url(bytes(raw)).decode()
    assert VERIFY_ALL.verify(token).tenant_id
    with pytest.raises(InvalidToken):
        VERIFY_ALL.verify(".".join(parts))


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_an_invalid_token(text: str) -> None:
    """Arbitrary text raises InvalidToken and nothing else."""
    _refused(text)


@given(st.binary())
def test_any_signed_payload_is_an_invalid_token(payload: bytes) -> None:
    """Arbitrary bytes, well signed, raise InvalidToken and nothing else."""
    _refused(KEY.sign(KEY.header(), payload))


TOKENS = {algorithm: key.token() for algorithm, key in KEYS.items()}
VERIFY_ALL = verifier_for(*KEYS.values())
