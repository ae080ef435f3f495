"""What an answer to a bad request tells that it should not."""

import re
from collections.abc import Iterator

from sensos_auth.probing.exchange import Answer
from sensos_auth.probing.faults import LIBRARY, STACK_TRACE, TOKEN_ECHO, Fault

_WINDOW = 20  # characters of a token that nothing else has by chance
_STACK_TRACE = re.compile(
    r"""Traceback\ \(most\ recent\ call\ last\)
    | File\ "[^"\n]+",\ line\ \d+
    | \bat\ [\w.$<>\ ]+\([^()\n]*:\d+(?::\d+)?\)        # Java, Node
    | goroutine\ \d+\ \[
    | site-packages | node_modules/ | dist-packages
    | (?:/[\w.-]+){2,}\.(?:py|js|mjs|rb|php|go|java)\b
    | DEBUG\ =\ True                                     # Django's error page
    """,
    re.VERBOSE,
)
_LIBRARY = re.compile(
    r"""\b(?:PyJWT|joserfc|authlib|jwcrypto|python-jose|golang-jwt|jsonwebtoken|nimbusds|jjwt)\b
    | \b(?:jwt|jose)\.(?:exceptions|api_jwt|api_jws|errors)\b
    | \b(?:InvalidSignatureError|ExpiredSignatureError|InvalidAudienceError|InvalidIssuerError|DecodeError
         |InvalidAlgorithmError|ImmatureSignatureError|MissingRequiredClaimError|BadSignatureError
         |JsonWebTokenError|TokenExpiredError|JWTClaimValidationFailed|JWSSignatureVerificationFailed|JWTExpired
         |SignatureVerificationException|JWTDecodeException|ExpiredJwtException|MalformedJwtException)\b
    | \b(?:Signature\ verification\ failed|Signature\ has\ expired|Not\ enough\ segments|Invalid\ header\ padding
         |Invalid\ crypto\ padding|Invalid\ payload\ padding|Invalid\ header\ string
         |jwt\ malformed|jwt\ expired|jwt\ signature\ is\ required|invalid\ number\ of\ segments)\b
    | \bIDX1\d{4}\b | com\.auth0\.jwt | io\.jsonwebtoken | Firebase\\JWT | Microsoft\.IdentityModel
    """,
    re.VERBOSE | re.IGNORECASE,
)


def leaks(answer: Answer, shown: str) -> Iterator[Fault]:
    """Yield what the answer leaks; ``shown`` is the token that the request held."""
    headers = "\n".join(value for _, value in answer.headers)
    text = f"{headers}\n{answer.body.decode('utf-8', 'replace')}"
    if _holds_part_of(text, shown):
        yield TOKEN_ECHO
    if _STACK_TRACE.search(text):
        yield STACK_TRACE
    if _LIBRARY.search(text):
        yield LIBRARY


def _holds_part_of(text: str, token: str) -> bool:
    # The header of a token is no secret, and the same in many.
    for part in token.split(".")[1:]:
        # What repeats itself, such as zeros, proves nothing.
        windows = (part[start : start + _WINDOW] for start in range(0, len(part) - _WINDOW + 1, _WINDOW // 2))
        if any(len(set(window)) > _WINDOW // 4 and window in text for window in windows):
            return True
    return False
