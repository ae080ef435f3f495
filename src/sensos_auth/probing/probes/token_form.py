"""A good token, written differently: the same bytes to a careless reader."""

import json
from collections.abc import Iterator

from sensos_auth.probing.faults import LOOSE_FORM
from sensos_auth.probing.means import Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe
from sensos_auth.probing.tokens import base64url, decode_base64url

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FORGIVEN = {2: 16, 3: 4}  # length % 4 -> how many last characters stand for the same bytes


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with the token in other spellings and serializations."""
    header, payload, signature = means.good.parts
    for name, text in _spellings(means):
        if text is None:
            yield NotRun(Group.FORM, name, "the good token has no character that could be spelled so")
            continue
        yield Probe(
            Group.FORM, name, means.endpoint.bearer(text), Expectation.INVALID, LOOSE_FORM, shown=means.good.text
        )
    flattened = json.dumps({"protected": header, "payload": payload, "signature": signature}, separators=(",", ":"))
    general = json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
    # A reader that splits at dots must not find another token in it (RFC 8725bis section 2.13).
    polyglot = f'{{"{header}.{payload}.{signature}":"","protected":"{header}","payload":"{payload}"}}'
    for name, text in (
        ("JSON, flattened", flattened),
        ("JSON, general", general),
        ("JSON, polyglot", polyglot),
    ):
        request = means.endpoint.bearer(text)
        yield Probe(Group.FORM, name, request, Expectation.MALFORMED, LOOSE_FORM, shown=means.good.text)


def _spellings(means: Means) -> Iterator[tuple[str, str | None]]:
    header, payload, signature = means.good.parts
    yield "two parts", f"{header}.{payload}"
    yield "four parts", f"{means.good.text}.{signature}"
    yield "five parts", f"{means.good.text}.."
    yield "dot at the end", f"{means.good.text}."
    yield "dot at the beginning", f".{means.good.text}"
    yield "padding after the token", f"{means.good.text}{'=' * (-len(signature) % 4) or '='}"
    yield "padding in the header", f"{header}{'=' * (-len(header) % 4) or '='}.{payload}.{signature}"
    yield "padding in the payload", f"{header}.{payload}{'=' * (-len(payload) % 4) or '='}.{signature}"
    plain = signature.replace("-", "+").replace("_", "/")
    yield "+ and / in the signature", f"{header}.{payload}.{plain}" if plain != signature else None
    stray = _with_stray_bits(signature)
    yield "stray bits in the signature", None if stray is None else f"{header}.{payload}.{stray}"
    # Decoders pass over it.
    yield "foreign character in the header", f"{header[:8]}*{header[8:]}.{payload}.{signature}"
    yield "foreign character in the payload", f"{header}.{payload[:8]}*{payload[8:]}.{signature}"
    yield "foreign character in the signature", f"{header}.{payload}.{signature[:8]}*{signature[8:]}"
    yield "a space in the signature", f"{header}.{payload}.{signature[:8]} {signature[8:]}"
    yield "percent-encoded dots", means.good.text.replace(".", "%2E")
    yield "base64url over the token", base64url(means.good.text.encode())


def _with_stray_bits(part: str) -> str | None:
    forgiven = _FORGIVEN.get(len(part) % 4)
    if forgiven is None:
        return None
    last = _ALPHABET.index(part[-1])
    other = part[:-1] + _ALPHABET[last // forgiven * forgiven + (last + 1) % forgiven]
    return other if decode_base64url(other) == decode_base64url(part) else None
