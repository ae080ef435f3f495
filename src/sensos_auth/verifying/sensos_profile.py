"""The access tokens of a Sensos Auth service (:mod:`sensos_auth.model.access_token`), taken strictly."""

import re
from collections.abc import Set as AbstractSet

from sensos_auth.model.access_token import TOKEN_TYPE
from sensos_auth.model.lifetime import LONGEST_LIFETIME
from sensos_auth.model.revocation import Provenance
from sensos_auth.model.signing_key import ALGORITHMS
from sensos_auth.verifying.claims import IDENTIFIER, SCOPE, TOKEN_ID, is_integer, text_claim
from sensos_auth.verifying.errors import InvalidToken
from sensos_auth.verifying.profile import Identity

_VERSIONS = range(1 << 63)


class SensosProfile:
    """The profile of this product's own issuer.

    ``aud`` is one string, as the issuer writes it. A list is refused, even with the audience in it: a token that is
    good for several services lets each of them act as the caller at the others.
    """

    algorithms: AbstractSet[str] = frozenset(ALGORITHMS)
    key_id = re.compile(r"[A-Za-z0-9_-]{1,64}")
    keys_may_name_no_algorithm = False
    token_types: AbstractSet[str] = frozenset({TOKEN_TYPE})
    audience_lists = False
    longest_lifetime = LONGEST_LIFETIME

    def identity_of(self, claims: dict[str, object]) -> Identity:
        """Return whom the claims name; raises InvalidToken if one of them is not right."""
        application_id = text_claim(claims, "client_id", IDENTIFIER)
        if claims.get("sub") != application_id:
            raise InvalidToken("sub is not client_id")
        text_claim(claims, "credential_id", IDENTIFIER)
        _version(claims)
        return Identity(
            tenant_id=text_claim(claims, "tenant_id", IDENTIFIER),
            application_id=application_id,
            scopes=frozenset(text_claim(claims, "scope", SCOPE).split(" ")) if "scope" in claims else frozenset(),
            token_id=text_claim(claims, "jti", TOKEN_ID),
        )

    def provenance_of(self, kid: str, claims: dict[str, object]) -> Provenance:
        """Return what revocations are held against, for claims that :meth:`identity_of` took."""
        return Provenance(
            kid=kid,
            token_id=str(claims["jti"]),
            tenant_id=str(claims["tenant_id"]),
            application_id=str(claims["client_id"]),
            credential_id=str(claims["credential_id"]),
            version=_version(claims),
        )


def _version(claims: dict[str, object]) -> int:
    version = claims.get("rv")
    if not is_integer(version) or version not in _VERSIONS:
        raise InvalidToken("rv is not a registry version")
    return version


SENSOS = SensosProfile()
