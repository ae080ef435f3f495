"""How an issuer writes its access tokens, and what a verifier therefore asks of them."""

import re
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from sensos_auth.model.revocation import Provenance


class Identity(NamedTuple):
    """Whom the claims of a token name."""

    tenant_id: str
    application_id: str
    scopes: frozenset[str]
    token_id: str


class Profile(Protocol):
    """What differs from issuer to issuer. What every token must be is not here, and no profile can lift it.

    Two exist: the tokens of this product (the default), and :class:`sensos_auth.verifying.ForeignIssuer`.
    """

    @property
    def algorithms(self) -> AbstractSet[str]:
        """The algorithms that keys may be for (RFC 7518 section 3.1, RFC 8037)."""

    @property
    def key_id(self) -> re.Pattern[str]:
        """The form of the key IDs."""

    @property
    def keys_may_name_no_algorithm(self) -> bool:
        """Whether a key without ``alg`` is taken, if exactly one of the algorithms fits it."""

    @property
    def token_types(self) -> AbstractSet[str]:
        """The accepted values of ``typ``, in lower case, without ``application/``; empty where it is missing."""

    @property
    def audience_lists(self) -> bool:
        """Whether ``aud`` may be a list with the audience in it."""

    @property
    def longest_lifetime(self) -> int:
        """The most seconds from ``iat`` to ``exp``."""

    def identity_of(self, claims: dict[str, object]) -> Identity:
        """Return whom the claims name; raises InvalidToken if one of them is not right."""

    def provenance_of(self, kid: str, claims: dict[str, object]) -> Provenance:
        """Return what revocations are held against, for claims that :meth:`identity_of` took."""
