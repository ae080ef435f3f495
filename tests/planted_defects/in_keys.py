"""Defects in how the issuer's keys are read, fetched and held."""

from tests.planted_defects.defect import Defect, in_file

_jwks = in_file("verifying/jwks.py", "verifying/test_jwks.py")
_held = in_file("verifying/held_keys.py", "verifying/test_held_keys.py")
_remote = in_file("verifying/remote_jwks.py", "verifying/test_remote_jwks.py")
_url = in_file("verifying/issuer_url.py", "verifying/test_remote_jwks.py")
_loopback = in_file("model/loopback.py", "model/test_loopback.py")
_fetching = in_file("verifying/fetching.py", "verifying/test_fetching.py")
_roca = in_file("verifying/roca.py", "verifying/test_roca.py")

DEFECTS: list[Defect] = [
    _jwks.defect(
        "F01 a private key is a public one",
        'if jwk.get("kty") == "oct" or not _PRIVATE_MEMBERS.isdisjoint(jwk):',
        'if jwk.get("kty") == "oct":',
    ),
    _jwks.defect(
        "F02 a symmetric key is passed over",
        'if jwk.get("kty") == "oct" or not _PRIVATE_MEMBERS.isdisjoint(jwk):',
        'if not (_PRIVATE_MEMBERS - {"k"}).isdisjoint(jwk):',
    ),
    _jwks.defect("C20 the last of two keys with one kid counts", "if kid in seen:", "if False:"),
    _jwks.defect("F07 a set without keys takes all away", "    if not keys:\n", "    if False:\n"),
    _jwks.defect("F06 no limit for the size of a set", "if len(document) > LARGEST_JWKS:", "if False:"),
    _jwks.defect("F03 a key for encryption verifies", 'or jwk.get("use", "sig") != "sig"', "or False"),
    _jwks.defect("F03 key_ops is ignored", 'or "verify" not in key_ops', "or False"),
    _jwks.defect("F03 1 024 bits are enough", "_RSA_BITS = range(2048, 8193)", "_RSA_BITS = range(1024, 8193)"),
    _jwks.defect("F03 any exponent will do", "range(65537, 1 << 256, 2)", "range(1, 1 << 256)"),
    _jwks.defect("F03 factored keys verify", " or is_roca_modulus(modulus)", "", "verifying/test_roca.py"),
    _jwks.defect(
        "D12 keys under which anybody signs verify",
        " if not is_small_order(decode_base64url(x))",
        "",
        "verifying/test_small_order.py",
    ),
    _roca.defect("F03 the fingerprint is never there", "return all(", "return False and all("),
    _held.defect(
        "F06 a failed fetch clears the keys",
        "            self._failures += 1",
        "            self._failures += 1\n            self._keys = {}",
        "verifying/test_held_keys.py",
        "verifying/test_remote_jwks.py",
    ),
    _held.defect(
        "F04 the cooldown counts successes only",
        "            self._last_error = error\n",
        "            self._last_error = error\n            self._attempted_at = now - COOLDOWN\n",
    ),
    _held.defect(
        "F04 each unknown key ID fetches", "wanted_at = max(now, self._attempted_at + COOLDOWN)", "wanted_at = now"
    ),
    _held.defect(
        "F05 a key ID that is missed during a fetch is forgotten",
        "pause = COOLDOWN if self._missed_since else",
        "pause =",
    ),
    _held.defect(
        "Z70 keys serve for ever", "return now - self._confirmed_at < self._longest_outage", "return bool(self._keys)"
    ),
    _held.defect(
        "Z70 failures extend the outage",
        "            self._last_error = error\n",
        "            self._last_error = error\n            self._confirmed_at = now\n",
    ),
    _held.defect(
        "F18 an unknown kid gets the only key",
        "return self._keys.get(kid)",
        "return self._keys.get(kid) or (next(iter(self._keys.values())) if len(self._keys) == 1 else None)",
        "verifying/test_remote_jwks.py",
    ),
    _jwks.defect(
        "C18 an unknown kid gets the only key of a local set",
        "return self._keys.get(kid)",
        "return self._keys.get(kid) or (next(iter(self._keys.values())) if len(self._keys) == 1 else None)",
        "verifying/test_header_attacks.py",
    ),
    _held.defect(
        "F16 removed keys stay",
        "self._keys = {kid: _same_or(",
        "self._keys = dict(self._keys) | {kid: _same_or(",
        "verifying/test_remote_jwks.py",
    ),
    _url.defect(
        "F08 plain http to anywhere",
        'or (parts.scheme == "http" and (allow_insecure_http or is_loopback(host))):',
        'or parts.scheme == "http":',
    ),
    _loopback.defect(
        "F08 a host that begins like loopback",
        'return host == "localhost"',
        'return host.startswith(("localhost", "127."))',
    ),
    _loopback.defect(
        "F06 a proxy carries what stays on this machine",
        'return not (parts.scheme == "http" and is_loopback(parts.hostname or ""))',
        "return True",
    ),
    _url.defect(
        "F08 credentials in the URL",
        "if parts.username is not None or parts.password is not None or parts.fragment:",
        "if parts.fragment:",
    ),
    _remote.defect(
        "Z70 the outage has no ceiling",
        "if not 0 < longest_outage <= PUBLISHED_BEFORE_SIGNING:",
        "if not 0 < longest_outage:",
    ),
    _remote.defect(
        "F06 one bad answer ends the thread",
        "        except Exception as error:  # noqa: BLE001",
        "        except SensosAuthError as error:  # noqa: BLE001",
    ),
    _remote.defect(
        "F05 an unknown kid never fetches", "        if key is None and self._held.miss(now):\n", "        if False:\n"
    ),
    _fetching.defect("F08 redirects are followed", "follow_redirects=False", "follow_redirects=True"),
    _fetching.defect("F06 any status brings a document", "if response.status_code != httpx2.codes.OK:", "if False:"),
    _fetching.defect("F06 a document of any size", "if len(document) > LARGEST_JWKS:", "if False:"),
    _fetching.defect("F06 no time limit", "asyncio.timeout(DEADLINE)", "asyncio.timeout(DEADLINE * 3)"),
]
