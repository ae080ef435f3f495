"""What can be wrong with a service: how bad it is, what it means, and how to mend it.

A finding of the report is one of these, with all probes that showed it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a fault is, the worst first."""

    GOT_THROUGH = "got through"
    LEAKED = "leaked"
    BREAKS = "breaks a standard"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: ``title`` says what the service does, ``meaning`` what comes of it."""

    severity: Severity
    title: str
    meaning: str
    remedy: str


OPEN = Fault(
    Severity.GOT_THROUGH,
    "Answers without a token",
    "Anybody can call this endpoint.",
    "Put the check before the endpoint: a middleware or a dependency, for every method and every spelling of the path.",
)
FAILS_OPEN = Fault(
    Severity.GOT_THROUGH,
    "Lets a text pass that is no token",
    "Whatever the check stumbles over opens the service.",
    "Refuse unless the check has succeeded; an exception in it is a refusal as well.",
)
TOKEN_IN_BODY = Fault(
    Severity.GOT_THROUGH,
    "Takes a token from the body",
    "Bodies are logged and cached, and any page that a browser shows can send one (RFC 6750 section 2.2).",
    "Take the token from the Authorization header only.",
)
METHOD_OVERRIDE = Fault(
    Severity.GOT_THROUGH,
    "Lets a header replace the method, past the check",
    "The check sees one method, and the endpoint another one.",
    "Turn method overrides off, or apply them before the check.",
)
TOKEN_ELSEWHERE = Fault(
    Severity.GOT_THROUGH,
    "Takes a token from another place than the Authorization header",
    "Tokens in URLs end up in logs and histories, tokens in cookies are sent by any page that a browser shows "
    "(RFC 9700 section 4.3.2).",
    "Take the token from the Authorization header only.",
)
OTHER_SCHEME = Fault(
    Severity.BREAKS,
    "Takes a token under another scheme than Bearer",
    "Who reads the header before or after the service may see no token in it, or another one (RFC 6750 section 2.1).",
    "Compare the scheme with Bearer, in any case, followed by exactly one space.",
)
AMBIGUOUS_HEADER = Fault(
    Severity.GOT_THROUGH,
    "Takes a request with two tokens or two Authorization headers",
    "Gateway and service may each check another one of them.",
    "Refuse a request with more than one Authorization header or more than one token in it.",
)
LOOSE_HEADER = Fault(
    Severity.BREAKS,
    "Takes a malformed Authorization header",
    "What the service understands, a gateway or a log may understand in another way (RFC 6750 section 2.1).",
    "Match the whole value: Bearer, one space, the characters that a token can have, and nothing else.",
)
LOOSE_FORM = Fault(
    Severity.BREAKS,
    "Takes a token that is not written canonically",
    "One token has many spellings then: lists and caches that know it by its text don't know the others "
    "(RFC 7515 section 2, RFC 8725).",
    "Refuse padding, foreign characters, stray bits and white space: encode what was decoded again, and compare.",
)
LOOSE_SIGNATURE = Fault(
    Severity.BREAKS,
    "Takes a signature that is not written as its algorithm has it",
    "One token has many spellings then: lists and caches that know it by its text don't know the others "
    "(RFC 7518 section 3).",
    "Use a JOSE library that checks the length of a signature; for ES256 it is 64 bytes, r and s.",
)
UNSIGNED = Fault(
    Severity.GOT_THROUGH,
    "Does not verify the signature",
    "Anybody can write a token, in the name of any tenant.",
    "Verify the signature with a key from the issuer's JWKS before any claim is used.",
)
ALGORITHM_NONE = Fault(
    Severity.GOT_THROUGH,
    "Takes unsigned tokens (alg none)",
    "Anybody can write a token, in the name of any tenant (RFC 8725 section 2.1).",
    "Allow the algorithm of your issuer's keys by name; never take it from the token.",
)
PUBLIC_KEY_AS_SECRET = Fault(
    Severity.GOT_THROUGH,
    "Takes the public key for a shared secret (HMAC)",
    "The key is published: anybody can sign with it (RFC 8725 section 2.1).",
    "Bind each key to its one algorithm; never take the algorithm from the token.",
)
GUESSABLE_SECRET = Fault(
    Severity.GOT_THROUGH,
    "Takes a token that is signed with an empty or guessable secret",
    "Anybody can sign with it.",
    "Allow the algorithm of your issuer's keys by name, and let an unknown key ID yield no key at all.",
)
FOREIGN_KEY = Fault(
    Severity.GOT_THROUGH,
    "Takes a token that is signed with another key than the issuer's",
    "Whoever made that key can write tokens in the name of any tenant.",
    "Verify the signature with the issuer's JWKS, and with nothing else.",
)
KEY_FROM_THE_TOKEN = Fault(
    Severity.GOT_THROUGH,
    "Takes the key from the token itself",
    "Anybody can make a key, sign with it, and send it along (RFC 8725 section 3.10).",
    "Ignore or refuse jwk, jku, x5u and x5c; look the key up in the issuer's JWKS by its ID.",
)
FETCHES = Fault(
    Severity.GOT_THROUGH,
    "Fetches a URL that a token names",
    "Anybody can make the service call any address that it can reach, inside your network too (RFC 8725 section 3.10).",
    "Ignore or refuse jku and x5u; fetch the JWKS from the address that is configured, and nothing else.",
)
KEY_ID_IS_USED_AS_A_NAME = Fault(
    Severity.GOT_THROUGH,
    "Lets the key ID choose a file or a row",
    "Who chooses the key ID chooses the key, and can read what it likes (RFC 8725 section 3.10).",
    "Use the key ID for nothing but a look-up among the keys of the issuer's JWKS.",
)
CRITICAL_IGNORED = Fault(
    Severity.BREAKS,
    "Ignores critical extensions (crit)",
    "The token says that it must not be taken by who does not understand it (RFC 7515 section 4.1.11).",
    "Refuse every token with crit in its header.",
)
WRONG_TYPE = Fault(
    Severity.GOT_THROUGH,
    "Takes another kind of JWT for an access token",
    "An ID token or a client assertion of the same issuer opens the service (RFC 9068 section 4).",
    "Demand the type at+jwt (or application/at+jwt) in the token's header.",
)
EXPIRY = Fault(
    Severity.GOT_THROUGH,
    "Does not check the expiry",
    "A token that leaked once opens the service for ever (RFC 9068 section 4).",
    "Demand exp, as a number, and that it is in the future.",
)
NOT_YET = Fault(
    Severity.GOT_THROUGH,
    "Takes a token before it begins",
    "What was issued for later is good now (RFC 7519 section 4.1.5).",
    "Refuse a token whose nbf is in the future, but for a few seconds.",
)
ISSUED_LATER = Fault(
    Severity.ADVICE,
    "Takes a token from the future",
    "Only a wrong clock or a thief of the key issues such a token.",
    "Refuse a token whose iat is in the future, but for a few seconds.",
)
LIFETIME = Fault(
    Severity.ADVICE,
    "Takes tokens of any lifetime",
    "A token for ten years is a mistake of the issuer, or the work of a thief.",
    "Refuse a token whose exp is more than a day after its iat.",
)
ISSUER = Fault(
    Severity.GOT_THROUGH,
    "Does not check the issuer",
    "Tokens of another issuer, another tenant's or a test system's, open the service (RFC 9068 section 4).",
    "Compare iss with your issuer, letter by letter.",
)
AUDIENCE = Fault(
    Severity.GOT_THROUGH,
    "Does not check the audience",
    "A token that was made for another service opens this one (RFC 9068 section 4).",
    "Compare aud with the name of your API, letter by letter.",
)
AUDIENCE_LIST = Fault(
    Severity.ADVICE,
    "Takes tokens for several audiences",
    "Each of these services can act as the caller at the others.",
    "Demand that aud is your API and nothing else; Sensos Auth issues no others.",
)
NO_TENANT = Fault(
    Severity.GOT_THROUGH,
    "Takes a token that names no tenant",
    "Whose data the request gets is up to chance.",
    "Demand tenant_id, as a text that is not empty.",
)
INCOMPLETE = Fault(
    Severity.BREAKS,
    "Takes tokens without what an access token must have",
    "RFC 9068 section 2.2 requires iss, exp, aud, sub, client_id, iat and jti.",
    "Demand each of them, in its right type; sub and client_id of an application are the same.",
)
UNCLEAR_CLAIMS = Fault(
    Severity.BREAKS,
    "Takes claims that can be read in two ways",
    "Two programs that read the token see different claims (RFC 7519 sections 2 and 4).",
    "Parse the claims strictly: one JSON object, no member twice, each of its type, times finite and not negative.",
)
BOUND = Fault(
    Severity.GOT_THROUGH,
    "Takes a token that is bound to a key as a bearer token",
    "Who stole the token need not have the key (RFC 9449 section 7.1).",
    "Refuse a token with cnf, unless the request proves the key.",
)
SCOPE = Fault(
    Severity.GOT_THROUGH,
    "Does not check the scope",
    "Every application of every tenant may do what only some were allowed to.",
    "Split the claim scope at its spaces, and look for each scope that the endpoint needs, letter by letter.",
)
METHOD = Fault(
    Severity.GOT_THROUGH,
    "Answers another method without a token",
    "The check stands before some methods only.",
    "Check the token before the method is looked at, and refuse all methods that you don't serve.",
)
PATH = Fault(
    Severity.GOT_THROUGH,
    "Answers another spelling of the path without a token",
    "The check and the router read the path differently.",
    "Check the token where the router has found the endpoint, or for all paths; not by comparing paths.",
)
SPOOFED = Fault(
    Severity.GOT_THROUGH,
    "Lets headers of the client replace the token",
    "Anybody can send these headers; they mean something from a trusted gateway only.",
    "Take out these headers where requests come in, and decide by the token alone.",
)
IDENTITY = Fault(
    Severity.GOT_THROUGH,
    "Believes headers of the client about who calls",
    "A caller with a good token of one tenant can act as another tenant.",
    "Take out these headers where requests come in, and take the caller from the token.",
)
REVOKED = Fault(
    Severity.GOT_THROUGH,
    "Takes a revoked token",
    "A leaked token works until it expires, whatever the tenant's administrator does.",
    "Give the verifier the revocation feed.",
)
TRACE = Fault(
    Severity.LEAKED,
    "Answers TRACE",
    "TRACE sends back what was sent, and what a gateway added on the way (RFC 9110 section 9.3.8).",
    "Turn TRACE off.",
)
TOKEN_ECHO = Fault(
    Severity.LEAKED,
    "Repeats the token in its answer",
    "Answers are logged, cached and shown where tokens must not be.",
    "Answer with a fixed text.",
)
STACK_TRACE = Fault(
    Severity.LEAKED,
    "Shows a stack trace or places in its program",
    "Tells an attacker what is inside, and that it can be broken.",
    "Turn debugging off, catch what verification raises, and answer with a fixed text.",
)
LIBRARY = Fault(
    Severity.LEAKED,
    "Names its library in an answer",
    "Tells an attacker which weaknesses to try.",
    "Answer with a fixed text instead of the text of an exception.",
)
ORACLE = Fault(
    Severity.LEAKED,
    "Tells which check a bad token failed",
    "Who forges a token learns what is still wrong with it.",
    "Give one and the same 401 to every bad token, and write the cause to your own log.",
)
NOT_401 = Fault(
    Severity.BREAKS,
    "Refuses with another status than 401",
    "A client renews its token after 401 and after nothing else (RFC 6750 section 3.1).",
    "Answer 401 when the token is missing or not good.",
)
NO_CHALLENGE = Fault(
    Severity.BREAKS,
    "Answers 401 without WWW-Authenticate: Bearer",
    "A client is not told that a token is wanted (RFC 6750 section 3, RFC 9110 section 15.5.2).",
    "Send WWW-Authenticate: Bearer with every 401.",
)
ERROR_WITHOUT_TOKEN = Fault(
    Severity.BREAKS,
    "Names an error where no token was shown",
    "A client takes its token for bad when it sent none (RFC 6750 section 3.1).",
    "Send WWW-Authenticate: Bearer without error when the request has no token.",
)
WRONG_ERROR = Fault(
    Severity.BREAKS,
    "Names another error in WWW-Authenticate than RFC 6750 has for it",
    "A client does not know what to do about it (RFC 6750 section 3.1).",
    'Send error="invalid_token" with the 401 to a bad token.',
)
NO_ERROR = Fault(
    Severity.ADVICE,
    "Names no error in WWW-Authenticate for a bad token",
    "A client cannot tell a bad token from a missing one (RFC 6750 section 3 says that it should be there).",
    'Send error="invalid_token" with the 401 to a bad token.',
)
NOT_403 = Fault(
    Severity.BREAKS,
    "Refuses a lacking scope with another status than 403",
    "A client renews its token in vain (RFC 6750 section 3.1).",
    "Answer 403 when the token is good and lacks a scope.",
)
NO_INSUFFICIENT_SCOPE = Fault(
    Severity.BREAKS,
    "Does not name insufficient_scope where a scope lacks",
    "A client is not told why it was refused (RFC 6750 section 3.1).",
    'Send WWW-Authenticate: Bearer error="insufficient_scope", scope="…" with the 403.',
)
GOOD_REFUSED = Fault(
    Severity.BREAKS,
    "Refuses what it must accept",
    "The scheme's name is written in any case (RFC 9110 section 11.1).",
    "Compare the scheme without regard to case.",
)
BREAKS_DOWN = Fault(
    Severity.BREAKS,
    "Breaks down over a bad request",
    "Anybody can make the service fail; what fails may also fail open.",
    "Catch what verification and parsing raise, and answer 401 or 400.",
)
HANGS = Fault(
    Severity.BREAKS,
    "Leaves a bad request without an answer",
    "Anybody can keep the service busy.",
    "Bound what is read and how long it takes, and answer 401 or 400.",
)
NOT_THE_CONTRACT = Fault(
    Severity.BREAKS,
    "Answers a 401 in another form than the contract's",
    'Integrators were promised {"error":"Unauthorized","message":"Invalid or expired access token"}, as '
    "application/json with Cache-Control: no-store.",
    "Send exactly that; sensos_auth.verifying does.",
)

_FORGED = frozenset(
    (
        LOOSE_SIGNATURE,
        ALGORITHM_NONE,
        PUBLIC_KEY_AS_SECRET,
        GUESSABLE_SECRET,
        FOREIGN_KEY,
        KEY_FROM_THE_TOKEN,
        KEY_ID_IS_USED_AS_A_NAME,
    )
)
_ANY_TOKEN = _FORGED | {
    UNSIGNED,
    AMBIGUOUS_HEADER,
    LOOSE_HEADER,
    LOOSE_FORM,
    CRITICAL_IGNORED,
    WRONG_TYPE,
    EXPIRY,
    NOT_YET,
    ISSUED_LATER,
    LIFETIME,
    ISSUER,
    AUDIENCE,
    AUDIENCE_LIST,
    NO_TENANT,
    INCOMPLETE,
    UNCLEAR_CLAIMS,
    BOUND,
    SCOPE,
}
_NO_TOKEN = _ANY_TOKEN | {FAILS_OPEN, TOKEN_ELSEWHERE, OTHER_SCHEME, PATH, SPOOFED}
_ANY_METHOD = frozenset((TOKEN_IN_BODY, METHOD_OVERRIDE))

# What follows from a fault is told with it, not as something of its own. The first cause that was found counts.
CONSEQUENCES: dict[Fault, frozenset[Fault]] = {
    OPEN: _NO_TOKEN,
    FAILS_OPEN: _ANY_TOKEN,
    UNSIGNED: _FORGED,
    METHOD: _ANY_METHOD,
}
