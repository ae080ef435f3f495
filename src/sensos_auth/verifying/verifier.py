"""An access token becomes a caller, or is refused."""

import re
import time
from collections.abc import Callable

from sensos_auth.model.access_token import TOKEN_TYPE
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.claims import caller_of
from sensos_auth.verifying.compact_jws import CompactJws, parse_compact_jws
from sensos_auth.verifying.errors import InsufficientScope, InvalidToken
from sensos_auth.verifying.jwks import KEY_ID
from sensos_auth.verifying.keys import VerificationKeys
from sensos_auth.verifying.strict_json import parse_object

# RFC 9068 section 4; a media type is compared without regard to case (RFC 7515 section 4.1.9).
_TOKEN_TYPES = re.compile(rf"(?:application/)?{re.escape(TOKEN_TYPE)}", re.IGNORECASE | re.ASCII)


class Verifier:
    """Verifies the access tokens of one issuer for one audience. One for each API service, used by all its threads.

    ``issuer`` and ``audience`` are compared letter by letter with the claims ``iss`` and ``aud``; ``clock`` returns
    UTC seconds. Raises ConfigurationError when one of the first two is empty.
    """

    def __init__(
        self, *, issuer: str, audience: str, keys: VerificationKeys, clock: Callable[[], float] = time.time
    ) -> None:
        for name, value in (("issuer", issuer), ("audience", audience)):
            if not value or not value.strip():
                raise ConfigurationError(f"a verifier needs to know the {name} whose tokens it accepts")
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock

    def verify(self, token: str, *, scope: str = "") -> Caller:
        """Return whom the access token speaks for. No network, no disk: the keys are held in memory.

        ``scope`` names the scopes, space-separated, that the token must all have. Raises InvalidToken for a token
        that is not good, InsufficientScope for a good one without them, KeysUnavailable when nothing can be said,
        InvalidInput for a ``scope`` that is none.
        """
        jws = parse_compact_jws(token)
        self._check_signature(jws)
        try:
            claims = parse_object(jws.payload)
        except ValueError:
            raise InvalidToken("the claims are not a JSON object") from None
        caller = caller_of(claims, issuer=self._issuer, audience=self._audience, now=self._clock())
        if scope:
            needed = normalize_scope(scope)
            if not caller.scopes.issuperset(needed.split()):
                raise InsufficientScope(needed)
        return caller

    def _check_signature(self, jws: CompactJws) -> None:
        token_type = jws.header.get("typ")
        if not isinstance(token_type, str) or not _TOKEN_TYPES.fullmatch(token_type):
            raise InvalidToken("not typed as an access token")
        kid = jws.header.get("kid")
        if not isinstance(kid, str) or not KEY_ID.fullmatch(kid):
            raise InvalidToken("no key ID of the right form")
        key = self._keys.find(kid)
        if key is None:
            raise InvalidToken("unknown key ID")
        if not key.verifies(jws):
            raise InvalidToken("wrong signature")
