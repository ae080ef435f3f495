"""Defects in what a verifier remembers: verdicts on tokens, and revocations."""

from tests.planted_defects.defect import Defect, in_file

_verifier = in_file("verifying/verifier.py", "verifying/test_remembered_verdicts.py")
_profile = in_file("verifying/sensos_profile.py", "verifying/test_remembered_verdicts.py")
_verdicts = in_file("verifying/verdicts.py", "verifying/test_verdicts.py", "verifying/test_remembered_verdicts.py")
_state = in_file("verifying/revocation_state.py", "verifying/test_revocation_state.py")

_ASKED_FIRST = """        generation = self._revocations.generation()
        if self._revocations.voids(profile.provenance_of(key.kid, claims)):
            raise InvalidToken("revoked")
"""
_ASKED_LAST = """        if self._revocations.voids(profile.provenance_of(key.kid, claims)):
            raise InvalidToken("revoked")
        generation = self._revocations.generation()
"""

DEFECTS: list[Defect] = [
    _verifier.defect(
        "D24 a remembered token never expires",
        "or not verdict.begins_at <= self._clock() < verdict.expires_at",
        "or not verdict.begins_at <= self._clock()",
    ),
    _verifier.defect(
        "D24 a remembered token is good at its expiry",
        "or not verdict.begins_at <= self._clock() < verdict.expires_at",
        "or not verdict.begins_at <= self._clock() <= verdict.expires_at",
    ),
    _verifier.defect(
        "D24 a remembered token is good before it begins",
        "or not verdict.begins_at <= self._clock() < verdict.expires_at",
        "or not self._clock() < verdict.expires_at",
    ),
    _verifier.defect(
        "D24 a remembered token outlives its key",
        "or self._keys.find(verdict.kid) is not verdict.key",
        "or False",
    ),
    _verifier.defect(
        "D24 another key under the same ID will do",
        "or self._keys.find(verdict.kid) is not verdict.key",
        "or self._keys.find(verdict.kid) is None",
    ),
    _verifier.defect(
        "D24 revocations are not asked again",
        "elif self._revocations.generation() != verdict.generation:",
        "elif False:",
    ),
    _verifier.defect(
        "E27 revocations are not asked at first",
        "if self._revocations.voids(profile.provenance_of(key.kid, claims)):",
        "if False:",
    ),
    _verifier.defect(
        "E27 the second answer of the revocations is not heard",
        "if self._revocations.voids(self._profile.provenance_of(verdict.kid, claims)):",
        "if False:",
    ),
    _verifier.defect("E27 a revocation during the first check is missed", _ASKED_FIRST, _ASKED_LAST),
    _verifier.defect(
        "E27 a revocation during a later check is missed",
        "verdict.generation = generation",
        "verdict.generation = self._revocations.generation()",
    ),
    _verifier.defect(
        "D25 verifiers share their verdicts",
        "self._verdicts = Verdicts(remembered_verdicts)",
        'self._verdicts = globals().setdefault("_shared", Verdicts(remembered_verdicts))',
    ),
    _verifier.defect(
        "D08 verdicts are found by the signature",
        'sha256(token.encode("utf-8", "replace"))',
        'sha256(token.rpartition(".")[2].encode("utf-8", "replace"))',
        "verifying/test_signature_attacks.py",
        "verifying/test_remembered_verdicts.py",
    ),
    _verifier.defect(
        "D26 the token itself is remembered",
        'digest = sha256(token.encode("utf-8", "replace")).digest()',
        'digest = token.encode("utf-8", "replace")',
    ),
    _verifier.defect(
        "E27 revocations that hold nothing yet are never asked",
        "_NothingRevoked() if revocations is None else revocations",
        "revocations or _NothingRevoked()",
    ),
    _verifier.defect(
        "D22 the digest of an endless token",
        "if len(token) > LARGEST_TOKEN:",
        "if False:",
        "verifying/test_signature_attacks.py",
    ),
    _profile.defect(
        "E27 a revoked secret's tokens are good",
        'credential_id=str(claims["credential_id"])',
        'credential_id=""',
    ),
    _profile.defect(
        "E27 a disabled tenant's tokens are good",
        'tenant_id=str(claims["tenant_id"])',
        'tenant_id=""',
    ),
    _profile.defect("E27 every token claims the newest version", "version=_version(claims)", "version=(1 << 63) - 1"),
    _verdicts.defect("D26 any number of verdicts", "if len(self._young) >= self._most or", "if"),
    _verdicts.defect("D26 verdicts of any size", " or self._young_bytes + size > self._most_bytes:", ":"),
    _verdicts.defect(
        "D26 what is in use is forgotten", "                self.put(digest, verdict)\n", "                pass\n"
    ),
    _state.defect("S5 void_before is void too", "version < found[0]", "version <= found[0]"),
    _state.defect(
        "S5 a revoked secret is not looked for",
        "            or _is_in(self._credentials, RevocationKind.CREDENTIAL, token.credential_id, token.version)\n",
        "",
    ),
    _state.defect(
        "S5 a disabled application is not looked for",
        "            or _is_in(self._applications, RevocationKind.APPLICATION, token.application_id, token.version)\n",
        "",
    ),
    _state.defect(
        "S5 a disabled tenant is not looked for",
        "            or _is_in(self._tenants, RevocationKind.TENANT, token.tenant_id, token.version)\n",
        "",
    ),
    _state.defect(
        "F16 a revoked signing key is not looked for",
        "            or _is_in(self._signing_keys, RevocationKind.SIGNING_KEY, token.kid, _ANY_VERSION)\n",
        "",
    ),
    _state.defect("S5 the first token of a slot is not found", "digest[2:]) >= 0", "digest[2:]) > 0"),
    _state.defect(
        "S5 a digest is found across two others",
        "while position % _RECORD and position >= 0:",
        "while False:",
    ),
    _state.defect(
        "S5 the last revocation counts, not the strictest",
        "merged = max(held[0], void_before), max(held[1], ends_at)",
        "merged = void_before, ends_at",
    ),
    _state.defect(
        "Z20 the version goes back", "self.version = max(self.version, page.version)", "self.version = page.version"
    ),
    _state.defect("S5 nobody hears of a revoked token", "if changed or self.entries() != before:", "if changed:"),
    _state.defect(
        "S5 a revocation is forgotten while it counts",
        "for digest, (_, ends_at) in voided.items() if ends_at <= now]",
        "for digest, (_, ends_at) in voided.items() if ends_at > now]",
    ),
    _state.defect(
        "Z54 what is kept ends by a clock that ran ahead",
        "as_of=min([self.as_of, *(end - 1 for end in ends)]),",
        "as_of=self.as_of,",
    ),
    _state.defect(
        "Z54 the highest time counts for ever",
        "self.as_of = page.as_of  #",
        "self.as_of = max(self.as_of, page.as_of)  #",
    ),
    _state.defect(
        "S5 a fork finds a token whose end nobody counts",
        "            self._token_ends[end] += 1\n            self._slots[index] = slot[: position",
        "            self._slots[index] = slot[: position",
    ),
    _state.defect("S5 half a digest is taken in", "        _check(page)\n", "        pass\n"),
]
