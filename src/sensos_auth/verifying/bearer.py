"""The ``Authorization`` header of a request becomes a caller (RFC 6750 section 2.1)."""

import logging
import re
import traceback
from collections.abc import Iterable

from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import (
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    MissingToken,
    RevocationsUnavailable,
)
from sensos_auth.verifying.verifier import Verifier

_logger = logging.getLogger("sensos_auth.verifying")

# "The scheme is case-insensitive" (RFC 9110 section 11.1); what follows "bearer" must not make it another scheme.
_BEARER = re.compile(r"bearer(?![!#$%&'*+.^_`|~0-9a-z:-])", re.IGNORECASE | re.ASCII)
_SCHEME_AND_SPACE = len("bearer ")


def authenticate(verifier: Verifier, authorization: Iterable[bytes | str], *, scope: str = "") -> Caller:
    """Return the caller that a request shows with the values of all its ``Authorization`` headers.

    Raises MissingToken, InvalidToken, InsufficientScope, KeysUnavailable or RevocationsUnavailable, and nothing else:
    whatever breaks on the way is reported to the log and becomes KeysUnavailable, so that a defect never lets anybody
    in. Why a token is not good is in the log at level DEBUG.
    """
    try:
        return verifier.verify(bearer_token(authorization), scope=scope)
    except InvalidToken as error:
        _logger.debug("refused: %s", error.reason)
        raise
    except (MissingToken, InsufficientScope, KeysUnavailable, RevocationsUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 - fail closed
        frame = traceback.extract_tb(error.__traceback__)[-1]
        # Not the exception's text: nobody knows what is in it.
        _logger.error("verification broke: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)  # noqa: TRY400 - as above
        raise KeysUnavailable("verification is not possible right now") from None


def bearer_token(authorization: Iterable[bytes | str]) -> str:
    """Return the token of the one ``Authorization`` header: ``Bearer`` in any case, one space, the token.

    Raises MissingToken when there is no header, or one of another scheme: RFC 6750 section 3.1 counts "an unsupported
    authentication method" as lacking authentication information. Raises InvalidToken for two headers and for a
    ``Bearer`` that is not followed by a space. Whether what comes then is a token is for the verifier to tell.
    """
    values = list(authorization)
    if len(values) > 1:
        raise InvalidToken("more than one Authorization header")
    value = values[0] if values else ""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    scheme, token = value[:_SCHEME_AND_SPACE], value[_SCHEME_AND_SPACE:]
    if scheme != "Bearer " and not _BEARER.match(value):  # as nearly everybody writes it, or in any other way
        raise MissingToken("the request carries no access token")
    if not token or scheme[-1] != " ":
        raise InvalidToken("Bearer is not followed by one space and one token")
    return token
