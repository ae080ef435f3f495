"""Defects in how claims, scopes and requests are judged, and in what is answered."""

from tests.planted_defects.defect import Defect, in_file

_claims = in_file("verifying/claims.py", "verifying/test_claims.py")
_profile = in_file("verifying/sensos_profile.py", "verifying/test_claims.py")
_verifier = in_file("verifying/verifier.py", "verifying/test_claims.py", "verifying/test_verifier.py")
_bearer = in_file("verifying/bearer.py", "verifying/test_bearer.py")
_asgi = in_file("verifying/asgi.py", "verifying/test_asgi.py")
_scopes = in_file("verifying/needed_scopes.py", "verifying/test_starlette.py")
_refusals = in_file("verifying/refusals.py", "verifying/test_refusals.py")

DEFECTS: list[Defect] = [
    _claims.defect("E08 aud is not checked", "    elif aud != audience:", "    elif False:"),
    _claims.defect(
        "E08 aud is compared at its beginning",
        "    elif aud != audience:",
        "    elif not str(aud).startswith(audience):",
    ),
    _claims.defect(
        "E09 a list with our audience is taken",
        "if isinstance(aud, list) and lists and",
        "if isinstance(aud, list) and",
    ),
    _profile.defect("E09 our own tokens may have a list as aud", "audience_lists = False", "audience_lists = True"),
    _claims.defect("E11 iss is not checked", 'if claims.get("iss") != issuer:', "if False:"),
    _claims.defect(
        "E11 iss is compared at its beginning",
        'if claims.get("iss") != issuer:',
        'if not str(claims.get("iss")).startswith(issuer):',
    ),
    _claims.defect(
        "E11 iss is compared without regard to case",
        'if claims.get("iss") != issuer:',
        'if str(claims.get("iss")).lower() != issuer.lower():',
    ),
    _claims.defect(
        "E11 a part of iss is enough (CVE-2024-53861)",
        'if claims.get("iss") != issuer:',
        'if str(claims.get("iss")) not in issuer:',
    ),
    _claims.defect("E02 exp is not checked", "    if exp <= now:", "    if False:"),
    _claims.defect("E02 a token is good at its expiry", "    if exp <= now:", "    if exp < now:"),
    _claims.defect("E02 leeway for expiry", "    if exp <= now:", "    if exp + CLOCK_DIFFERENCE <= now:"),
    _claims.defect("E05 a minute ahead is allowed", "CLOCK_DIFFERENCE = 10", "CLOCK_DIFFERENCE = 60"),
    _claims.defect("E05 nothing is too new", "    if begins > now + CLOCK_DIFFERENCE:", "    if False:"),
    _claims.defect(
        "E06 nbf is ignored",
        'begins = max(iat, _time(claims, "nbf") if "nbf" in claims else iat)',
        "begins = iat",
    ),
    _claims.defect("E04 no ceiling for the lifetime", "    if exp - iat > longest_lifetime:", "    if False:"),
    _claims.defect("E07 a token may expire before it begins", "    if begins >= exp:", "    if False:"),
    _claims.defect(
        "E01 true is a time",
        "return isinstance(value, int) and not isinstance(value, bool)",
        "return isinstance(value, int)",
    ),
    _claims.defect(
        "E03 a float is a time",
        "return isinstance(value, int) and not isinstance(value, bool)",
        "return isinstance(value, (int, float)) and not isinstance(value, bool)",
    ),
    _claims.defect("E26 a bound token is a bearer token", 'if "cnf" in claims:', "if False:"),
    _claims.defect(
        "E14 the end of an identifier is not looked at", "not form.fullmatch(value)", "not form.match(value)"
    ),
    _claims.defect(
        "E15 a token ID of any length",
        r'TOKEN_ID = re.compile(r"[\x21-\x7e]{1,64}")',
        r'TOKEN_ID = re.compile(r"[\x21-\x7e]{1,640}")',
    ),
    _profile.defect("E14 sub may be somebody else", 'if claims.get("sub") != application_id:', "if False:"),
    _profile.defect(
        "E17 any number is a registry version",
        "if not is_integer(version) or version not in _VERSIONS:",
        "if not is_integer(version):",
    ),
    _profile.defect(
        "E16 credential_id may be missing",
        '        text_claim(claims, "credential_id", IDENTIFIER)\n',
        '        claims.setdefault("credential_id", "")\n',
    ),
    _claims.defect(
        "E14 an identifier may be empty",
        r'IDENTIFIER = re.compile(r"[\x21-\x7e]{1,256}")',
        r'IDENTIFIER = re.compile(r"[\x21-\x7e]{0,256}")',
    ),
    _profile.defect(
        "C24 a plain JWT is an access token",
        "= frozenset({TOKEN_TYPE})",
        '= frozenset({TOKEN_TYPE, "jwt"})',
        "verifying/test_header_attacks.py",
    ),
    _verifier.defect("E23 scope is not checked", "if scope and not caller.scopes >= _scopes_of(scope):", "if False:"),
    _verifier.defect(
        "E23 one of the scopes is enough",
        "if scope and not caller.scopes >= _scopes_of(scope):",
        "if scope and not caller.scopes & _scopes_of(scope):",
    ),
    _verifier.defect(
        "E23 a part of a scope is enough",
        "if scope and not caller.scopes >= _scopes_of(scope):",
        'if scope and not all(name in " ".join(caller.scopes) for name in _scopes_of(scope)):',
    ),
    _verifier.defect(
        "E34 an empty audience is a configuration",
        "if not isinstance(value, str) or not value or value != value.strip():",
        "if value is None:",
    ),
    _bearer.defect("G05 the first of two headers counts", "if len(values) > 1:", "if False:"),
    _bearer.defect(
        "G02 white space around the token is passed over",
        "value[:_SCHEME_AND_SPACE], value[_SCHEME_AND_SPACE:]",
        "value[:_SCHEME_AND_SPACE], value[_SCHEME_AND_SPACE:].strip()",
    ),
    _bearer.defect(
        "G03 the scheme has a case",
        '0-9a-z:-])", re.IGNORECASE | re.ASCII)',
        '0-9a-z:-])", re.ASCII)',
    ),
    _bearer.defect(
        "G04 another scheme is an invalid token",
        'if scheme != "Bearer " and not _BEARER.match(value):',
        "if not value:",
    ),
    _bearer.defect(
        "G16 what breaks is not caught",
        "    except Exception as error:  # noqa: BLE001",
        "    except ZeroDivisionError as error:  # noqa: BLE001",
    ),
    _bearer.defect(
        "O01 the log gets the exception's text", "type(error).__name__, frame.filename", "error, frame.filename"
    ),
    _refusals.defect(
        "F06 no keys is an invalid token",
        "        case _:\n            return _UNAVAILABLE",
        "        case _:\n            return _INVALID",
    ),
    _refusals.defect("G01 a missing token is told that it is invalid", "return _MISSING", "return _INVALID"),
    _refusals.defect("403 is a 401", "                403,", "                401,"),
    _refusals.defect("Refusals may be cached", '("cache-control", "no-store")', '("cache-control", "max-age=60")'),
    _asgi.defect(
        "G16 the middleware lets through what breaks",
        "        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass",
        "        except ZeroDivisionError as error:",
    ),
    _asgi.defect(
        "G15 WebSockets need no token",
        'await send({"type": "websocket.close", "code": _POLICY_VIOLATION})',
        "await self._app(scope, receive, send)",
    ),
    _asgi.defect("G15 the middleware asks for no scope", "authorization, scope=self._scope)", "authorization)"),
    _scopes.defect(
        "E23 one of the scopes of an endpoint is enough",
        "if not self._names <= caller.scopes:",
        "if not self._names & caller.scopes:",
    ),
]
