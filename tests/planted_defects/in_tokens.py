"""Defects in how a token is taken apart and its signature is checked."""

from tests.planted_defects.defect import Defect, in_file

_compact = in_file("verifying/compact_jws.py", "verifying/test_compact_jws.py", "verifying/test_header_attacks.py")
_base64url = in_file("verifying/base64url.py", "verifying/test_base64url.py", "verifying/test_signature_attacks.py")
_json = in_file("verifying/strict_json.py", "verifying/test_strict_json.py")
_keys = in_file("verifying/keys.py", "verifying/test_keys.py", "verifying/test_header_attacks.py")
_verifier = in_file("verifying/verifier.py", "verifying/test_header_attacks.py", "verifying/test_signature_attacks.py")

DEFECTS: list[Defect] = [
    _compact.defect("D22 no limit for the size when parsed", "if len(token) > LARGEST_TOKEN:", "if False:"),
    _compact.defect(
        "C12 the token brings its own key",
        "_REFUSED_MEMBERS = _KEYS_OF_THE_SENDER | _EXTENSIONS_AND_NESTING | _ENCRYPTION",
        "_REFUSED_MEMBERS = _EXTENSIONS_AND_NESTING | _ENCRYPTION",
    ),
    _compact.defect("C21 crit is ignored", 'frozenset(("crit", "b64", "cty"))', 'frozenset(("b64", "cty"))'),
    _compact.defect("C22 b64 is ignored", 'frozenset(("crit", "b64", "cty"))', 'frozenset(("crit", "cty"))'),
    _compact.defect("C25 a nested token is taken", 'frozenset(("crit", "b64", "cty"))', 'frozenset(("crit", "b64"))'),
    _compact.defect("C23 zip is ignored", 'frozenset(("enc", "zip", "epk"', 'frozenset(("enc", "epk"'),
    _compact.defect(
        "C31 refused members pass when they are null",
        "if not _REFUSED_MEMBERS.isdisjoint(header):",
        "if any(header.get(name) is not None for name in _REFUSED_MEMBERS):",
    ),
    _compact.defect(
        "D01 more than three parts are cut off",
        "_THREE_PARTS.fullmatch(token)",
        "_THREE_PARTS.match(token)",
        "verifying/test_signature_attacks.py",
    ),
    _compact.defect(
        "D04 the header is not among what was signed",
        "token[: parts.end(2)].encode()",
        "parts[2].encode()",
    ),
    _base64url.defect(
        "D16 stray bits, foreign characters and padding are passed over",
        'if urlsafe_b64encode(data).rstrip(b"=") != text.encode():',
        "if False:",
    ),
    _base64url.defect(
        "D13 padding is passed over",
        '.rstrip(b"=") != text.encode()',
        '.rstrip(b"=") != text.rstrip("=").encode()',
    ),
    _json.defect("C28 the last of two members counts", "if len(members) != len(pairs):", "if False:"),
    _json.defect(
        "C28 duplicates deeper down are passed over",
        "members = dict(pairs)\n",
        "members = dict(pairs)\n    pairs = list(members.items()) if 'alg' not in members else pairs\n",
    ),
    _json.defect("C30 NaN is a number", 'raise ValueError("not a JSON number")', 'return float("nan")  # type: ignore'),
    _json.defect("E03 1e999 is a number", "if not math.isfinite(number):", "if False:"),
    _json.defect("C30 half a character is a text", 'if "\\\\u" in text:', "if False:"),
    _json.defect(
        "A06 deep nesting is an exception nobody expects", "except RecursionError:", "except NotImplementedError:"
    ),
    _json.defect("C30 a byte order mark is passed over", "document.decode()", 'document.decode("utf-8-sig")'),
    _json.defect(
        "E19 a list is an object", "if not isinstance(value, dict):", "if not isinstance(value, (dict, list)):"
    ),
    _keys.defect(
        "C04 the token chooses the algorithm",
        "if jws.algorithm != self.algorithm:\n            return False\n"
        "        return JWSRegistry.algorithms[self.algorithm].verify(",
        "return JWSRegistry.algorithms[jws.algorithm].verify(",
    ),
    _keys.defect("C04 the algorithm is not bound to the key", "if jws.algorithm != self.algorithm:", "if False:"),
    _keys.defect(
        "C03 the algorithm is compared without regard to case",
        "if jws.algorithm != self.algorithm:",
        "if jws.algorithm.lower() != self.algorithm.lower():",
    ),
    _keys.defect(
        "C01 none needs no signature",
        "if jws.algorithm != self.algorithm:",
        'if jws.algorithm.lower() == "none":\n            return True\n        if jws.algorithm != self.algorithm:',
    ),
    _keys.defect(
        "F03 a key need not fit its algorithm",
        "JWSRegistry.algorithms[self.algorithm].check_key(self.public_key)",
        "pass",
    ),
    _verifier.defect("D03 the signature is not checked", "or not key.verifies(jws):", "or False:"),
    _verifier.defect("C24 typ is not checked", 'if not self._is_access_token(jws.header.get("typ", "")):', "if False:"),
    _verifier.defect(
        "C24 a token without typ is an access token",
        'if not self._is_access_token(jws.header.get("typ", "")):',
        'if not self._is_access_token(jws.header.get("typ", "at+jwt")):',
    ),
    _verifier.defect(
        "C24 any type that ends so is an access token",
        'token_type.lower().removeprefix("application/") in self._profile.token_types',
        'token_type.lower().rpartition("/")[2] in self._profile.token_types',
    ),
    _verifier.defect(
        "C17 the form of kid is not checked",
        "if not isinstance(kid, str) or not self._profile.key_id.fullmatch(kid):",
        "if not isinstance(kid, str):",
    ),
    _verifier.defect(
        "C15 kid is checked at its beginning only",
        "self._profile.key_id.fullmatch(kid)",
        "self._profile.key_id.match(kid)",
    ),
]
