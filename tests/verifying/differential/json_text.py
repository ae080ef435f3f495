"""Mutations of JSON text, after which it may be no JSON, or JSON that parsers read in two ways."""

import json
from random import Random

_RAW_VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1E400", "-0", "0.0", "1e2", "01", "+1", ".5", "1.", "0x10"),
    *(
        "9" * 20,
        "9" * 400,
        "9" * 5000,
        "1" + "0" * 30,
        "1.00000000000000000000001",
        "1e-999",
        "tru",
        "None",
        "undefined",
    ),
    *(
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\x41"',
        '"a\nb"',
        "'a'",
        '"a\\',
        '"\\u00"',
        '"\x7f"',
        "1 2",
    ),
    *("[" * 50 + "]" * 50, '{"a":' * 50 + "1" + "}" * 50, "[1,]", '{"a":1,"a":2}', '[{"b":[{"a":1,"\\u0061":1}]}]'),
    *("[1 /* c */]", '{"a":NaN}', '{"__proto__":{"admin":true}}'),
]
_UNKNOWN_NAMES = ["x", "region", "y\\u0000"]


def mutate_json(random: Random, text: str, names: list[str]) -> tuple[bytes, str]:
    """Return bytes that were the JSON object ``text``, and what was done; ``names`` are those that matter in it."""
    changed: str | bytes
    match random.randrange(12):
        case 0 | 1:
            changed, done = _with_duplicate(random, text, names), "duplicate member"
        case 2 | 3:
            member = f'"{random.choice(_UNKNOWN_NAMES)}":{random.choice(_RAW_VALUES)}'
            changed, done = _with_member(random, text, member), "raw value"
        case 4:
            changed, done = _with_raw_claim(random, text, names), "raw value of a member"
        case 5:
            wrong = [text + text, text + "x", text + "\0", "[" + text + "]", text[:-1], text + "//", ""]
            changed, done = random.choice(wrong), "not one object"
        case 6:
            wrong = ["null", "[]", '"x"', "1", "true", "{}", "{", "}", " ", "\0", '{"a"}', "{,}"]
            changed, done = random.choice(wrong), "other document"
        case 7:
            wrong = [text.replace("}", ",}"), text.replace('"', "'"), text.replace(":", "=", 1)]
            changed, done = random.choice(wrong), "wrong syntax"
        case 8:
            done = random.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
            changed = text.encode(done)
        case 9:
            junk = random.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\0"])
            changed, done = text.encode().replace(b"{", b'{"x":"' + junk + b'",', 1), "not UTF-8"
        case 10:
            space = random.choice(["\N{NO-BREAK SPACE}", "\v", "\f", "\N{ZERO WIDTH SPACE}", "\t", "\r\n", "\x85"])
            position = random.choice([0, 1, len(text)])
            changed, done = text[:position] + space + text[position:], "white space"
        case _:
            data = bytearray(text.encode())
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            changed, done = bytes(data), "flipped bit"
    return changed if isinstance(changed, bytes) else changed.encode(), done


def _with_member(random: Random, text: str, member: str) -> str:
    if random.random() < 0.5:
        return text.replace("{", "{" + member + ",", 1)
    end = text.rindex("}")
    return f"{text[:end]},{member}{text[end:]}"


def _with_duplicate(random: Random, text: str, names: list[str]) -> str:
    name = random.choice(names)
    written = json.dumps(name)
    if random.random() < 0.3:
        written = f'"\\u{ord(name[0]):04x}{name[1:]}"'
    try:
        present = json.loads(text).get(name)
    except ValueError:
        present = None
    value = random.choice([present, present, "none", None, 0, "x", []])
    return _with_member(random, text, f"{written}:{json.dumps(value)}")


def _with_raw_claim(random: Random, text: str, names: list[str]) -> str:
    name = random.choice(names)
    try:
        members = json.loads(text)
    except ValueError:
        return text
    members[name] = "<here>"
    return json.dumps(members).replace('"<here>"', random.choice(_RAW_VALUES))
