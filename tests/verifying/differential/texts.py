"""Mutations of the token's text: its base64url, its parts, and what stands around it."""

import json
from random import Random

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_FOREIGN = [
    *(" ", "\t", "\n", "\r", "\0", "?", "!", "%2E", "+", "/", "=", "==", ".", ",", ";", "\\", '"', "'", "*", "\x7f"),
    *("é", "\N{ZERO WIDTH SPACE}", "\N{FULLWIDTH LATIN CAPITAL LETTER A}", "\N{KELVIN SIGN}", "\ufeff"),
    *("\udcff", "\ud800"),
]


def mutate_base64url(random: Random, token: str) -> tuple[str, str]:
    """Return the token with one part written otherwise, and what was done."""
    parts = token.split(".")
    index = random.randrange(len(parts))
    part = parts[index]
    match random.randrange(8):
        case 0:
            parts[index], done = part + "=" * (-len(part) % 4), "right padding"
        case 1:
            parts[index], done = part + "=" * random.randint(1, 4), "padding"
        case 2 | 3:
            parts[index], done = _with_stray_bits(random, part), "stray bits"
        case 4:
            position = random.randint(0, len(part))
            parts[index], done = part[:position] + random.choice(_FOREIGN) + part[position:], "foreign characters"
        case 5:
            parts[index], done = part.replace("-", "+").replace("_", "/"), "other alphabet"
        case 6:
            parts[index], done = part + "A" * random.randint(1, 4), "longer"
        case _:
            position = random.randrange(len(part)) if part else 0
            parts[index], done = part[:position] + random.choice(_ALPHABET) + part[position + 1 :], "other letter"
    return ".".join(parts), f"part {index}: {done}"


def mutate_text(random: Random, token: str) -> tuple[str, str]:
    """Return the token with other parts, or with something around it, and what was done."""
    parts = token.split(".")
    match random.randrange(10):
        case 0:
            changed, done = ".".join(parts[: random.randrange(len(parts))]), "parts missing"
        case 1:
            changed, done = ".".join([*parts, random.choice(["", "A", *parts])]), "additional part"
        case 2:
            parts[random.randrange(len(parts))] = ""
            changed, done = ".".join(parts), "empty part"
        case 3:
            random.shuffle(parts)
            changed, done = ".".join(parts), "parts in another order"
        case 4:
            names = dict(zip(("protected", "payload", "signature"), parts, strict=False))
            changed, done = json.dumps(names), "JSON serialization"
        case 5:
            changed, done = random.choice(["Bearer ", "bearer ", " ", "\n", "\ufeff", '"', "\0", "."]) + token, "before"
        case 6:
            changed, done = token + random.choice([" ", "\n", "\r\n", "\0", ",", ";", "#", "\u200b", "."]), "after"
        case 7:
            changed, done = token[: random.randrange(len(token) + 1)], "truncated"
        case 8:
            other = [token.swapcase(), token.replace(".", "%2E"), token[::-1], f"{token},{token}"]
            changed, done = random.choice(other), "rewritten"
        case _:
            parts[random.randrange(len(parts))] += "A" * random.choice([4000, 8192, 20_000])
            changed, done = ".".join(parts), "far too long"
    return changed, done


def _with_stray_bits(random: Random, part: str) -> str:
    stray = {2: 4, 3: 2}.get(len(part) % 4)
    if stray is None or part[-1] not in _ALPHABET:
        return part
    last = _ALPHABET.index(part[-1]) | random.randrange(1, 1 << stray)
    return part[:-1] + _ALPHABET[last]
