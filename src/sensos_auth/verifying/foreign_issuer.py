"""The access tokens of other issuers: how each writes them, said once and in full.

Every issuer must be told apart from every other kind of token that it signs with the same keys, above all from ID
tokens. RFC 9068 does that with ``typ: at+jwt``. Where an issuer types everything ``JWT``, the claims must do it.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from sensos_auth.model.access_token import TOKEN_TYPE
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.revocation import Provenance
from sensos_auth.verifying.algorithms import ALGORITHMS
from sensos_auth.verifying.claims import IDENTIFIER, SCOPE, text_claim
from sensos_auth.verifying.errors import InvalidToken
from sensos_auth.verifying.profile import Identity

DAY = 86_400  # seconds
_LONGEST_LIFETIME = 30 * DAY
_LONGEST_OF_ENTRA = 29 * 3600  # 28 h with continuous access evaluation, and iat is five minutes early
_PLAIN = "jwt"
_KEY_ID = re.compile(r"[\x21-\x7e]{1,256}")
_SCOPE_NAME = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
_NAME = re.compile(r"[\x21-\x7e]{1,256}")
_TOKEN_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{0,127}")  # RFC 6838 section 4.2, in lower case
_CHECKED_ANYWAY = frozenset(("iss", "aud", "exp", "iat", "nbf", "cnf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignIssuer:
    """A profile for the access tokens of an issuer that is not a Sensos Auth service.

    Give it to both the keys and the verifier::

        profile = ForeignIssuer.auth0()
        keys = RemoteJwks("https://example.auth0.com/.well-known/jwks.json", profile=profile)
        verifier = Verifier(issuer="https://example.auth0.com/", audience="sensos-api", keys=keys, profile=profile)

    ``algorithms`` are the ones that the issuer signs with, of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
    ES512 and EdDSA. A key that names its algorithm verifies with that alone; one that names none is used if exactly one
    of these fits it.

    ``token_types`` are the accepted values of the header ``typ``, strictly RFC 9068's unless told otherwise; the empty
    text stands for a header without one. With any other than RFC 9068's, ``subject`` or ``required_claims`` must tell
    access tokens from ID tokens.
    ``application_claim``, ``tenant_claim``, ``scope_claim`` and ``token_id_claim`` name the claims that make the
    Caller. Without a tenant claim, the issuer is the tenant; without a token ID claim, the token ID is empty; a token
    without the scope claim, or with an empty one, has no scopes. Scopes are a space-separated text or a list of names.

    ``subject`` is what ``sub`` must be, with ``{application}`` for the application: as RFC 9068 section 2.2 has it for
    tokens that an application got for itself. With None, ``sub`` may be anything: tokens that an application got on
    behalf of users are accepted as well, unless ``required_claims``, which must have exactly these texts, tell them
    apart. ``audience_lists`` lets ``aud`` be a list with the audience in it. ``longest_lifetime`` is the most seconds
    from ``iat`` to ``exp``, up to 30 days.

    Raises ConfigurationError for anything that can't be right.
    """

    algorithms: AbstractSet[str]
    token_types: AbstractSet[str] = frozenset({TOKEN_TYPE})
    application_claim: str = "client_id"
    tenant_claim: str | None = None
    scope_claim: str | None = "scope"
    token_id_claim: str | None = "jti"  # noqa: S105 - the name of a claim
    subject: str | None = "{application}"
    required_claims: Mapping[str, str] = field(default_factory=dict, hash=False)
    audience_lists: bool = False
    longest_lifetime: int = DAY

    def __post_init__(self) -> None:
        for name in ("algorithms", "token_types"):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(f'{name} is a set of names, even if it is only one: {{"…"}}')
            object.__setattr__(self, name, frozenset(getattr(self, name)))
        object.__setattr__(self, "required_claims", MappingProxyType(dict(self.required_claims)))
        self._check_header()
        self._check_claims()

    @classmethod
    def auth0(cls, *, rfc_9068: bool = False, audience_lists: bool = False) -> "ForeignIssuer":
        """Return the profile of an Auth0 API's tokens for applications (client credentials).

        By the default token dialect of the API, or the RFC 9068 one. The subject of an application's own token is
        ``<client ID>@clients``, so tokens for users are refused. The issuer is ``https://<tenant>.auth0.com/``, with
        the slash. Source: https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles.
        """
        return cls(
            algorithms={"RS256"},
            token_types={TOKEN_TYPE} if rfc_9068 else {_PLAIN},
            application_claim="client_id" if rfc_9068 else "azp",
            token_id_claim="jti" if rfc_9068 else None,
            subject="{application}@clients",
            audience_lists=audience_lists,
            longest_lifetime=_LONGEST_LIFETIME,
        )

    @classmethod
    def keycloak(
        cls, *, algorithms: AbstractSet[str] = frozenset({"RS256"}), audience_lists: bool = True
    ) -> "ForeignIssuer":
        """Return the profile of a Keycloak realm's access tokens.

        The header says ``JWT`` for every kind of token (``at+jwt`` where the client has that switched on); the claim
        ``typ`` tells access tokens by ``Bearer``. Keycloak does not tell an application's own tokens from those that it
        got for users: both are accepted, and the Caller is the application. It writes no audience that fits an API by
        itself: give the client an audience mapper. The issuer is ``https://<host>/realms/<realm>``.
        Source: org.keycloak.representations.AccessToken and org.keycloak.util.TokenUtil in Keycloak 26.
        """
        return cls(
            algorithms=algorithms,
            token_types={TOKEN_TYPE, _PLAIN},
            application_claim="azp",
            subject=None,
            required_claims={"typ": "Bearer"},
            audience_lists=audience_lists,
        )

    @classmethod
    def entra(cls) -> "ForeignIssuer":
        """Return the profile of Microsoft Entra's version 2.0 tokens for applications, of one Entra tenant.

        Scopes are the app roles (claim ``roles``). Entra says that a token is an application's own with ``idtyp``, an
        optional claim that the API's registration must ask for (Token configuration, access token); without it, every
        token is refused. The issuer is ``https://login.microsoftonline.com/<tenant ID>/v2.0``, the audience the API's
        application ID, and ``requestedAccessTokenVersion`` in its manifest is 2.
        Source: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference and
        https://learn.microsoft.com/entra/identity-platform/optional-claims-reference.
        """
        return cls(
            algorithms={"RS256"},
            token_types={_PLAIN},
            application_claim="azp",
            tenant_claim="tid",
            scope_claim="roles",
            token_id_claim="uti",  # noqa: S106 - the name of a claim
            subject=None,
            required_claims={"ver": "2.0", "idtyp": "app"},
            longest_lifetime=_LONGEST_OF_ENTRA,
        )

    @property
    def key_id(self) -> re.Pattern[str]:
        """Key IDs are whatever the issuer makes them; here they only ever are looked up."""
        return _KEY_ID

    @property
    def keys_may_name_no_algorithm(self) -> bool:
        """Entra's keys, for one, name none."""
        return True

    def identity_of(self, claims: dict[str, object]) -> Identity:
        """Return whom the claims name; raises InvalidToken if one of them is not right."""
        for name, text in self.required_claims.items():
            if claims.get(name) != text:
                raise InvalidToken(f"{name} is not what this profile requires")
        application_id = text_claim(claims, self.application_claim, IDENTIFIER)
        subject = text_claim(claims, "sub", IDENTIFIER)
        if self.subject is not None and subject != self.subject.replace("{application}", application_id):
            raise InvalidToken("sub is not the application's own")
        return Identity(
            tenant_id=text_claim(claims, self.tenant_claim or "iss", IDENTIFIER),
            application_id=application_id,
            scopes=self._scopes_of(claims),
            token_id="" if self.token_id_claim is None else text_claim(claims, self.token_id_claim, IDENTIFIER),
        )

    def provenance_of(self, kid: str, claims: dict[str, object]) -> Provenance:
        """Return what revocations are held against. The version is the time of issue in milliseconds, as ours are."""
        identity = self.identity_of(claims)
        issued_at = claims["iat"]
        assert isinstance(issued_at, int)  # whoever asks has checked the times
        return Provenance(
            kid, identity.token_id, identity.tenant_id, identity.application_id, "", version=issued_at * 1000
        )

    def _scopes_of(self, claims: dict[str, object]) -> frozenset[str]:
        if self.scope_claim is None or claims.get(self.scope_claim, "") == "":  # Keycloak writes "" for none
            return frozenset()
        value = claims[self.scope_claim]
        names = value if isinstance(value, list) else text_claim(claims, self.scope_claim, SCOPE).split(" ")
        if not all(isinstance(name, str) and _SCOPE_NAME.fullmatch(name) for name in names):
            raise InvalidToken(f"{self.scope_claim} is not a list of scopes")
        return frozenset(names)

    def _check_header(self) -> None:
        if not self.algorithms or not self.algorithms <= ALGORITHMS:
            raise ConfigurationError(
                "algorithms are the ones that the issuer signs with, one or more of " + ", ".join(sorted(ALGORITHMS))
            )
        if not self.token_types or not all(_TOKEN_TYPE.fullmatch(name) for name in self.token_types):
            raise ConfigurationError(
                f'token_types are media types in lower case without "application/", such as {TOKEN_TYPE} or {_PLAIN}, '
                'or "" for none'
            )

    def _check_claims(self) -> None:
        roles = {
            "application_claim": self.application_claim,
            "tenant_claim": self.tenant_claim,
            "scope_claim": self.scope_claim,
            "token_id_claim": self.token_id_claim,
        }
        for role, name in roles.items():
            if name is not None and (not _NAME.fullmatch(name) or name in _CHECKED_ANYWAY):
                raise ConfigurationError(f"{role} is the name of a claim of its own, such as client_id, scope or jti")
        required: Mapping[str, object] = self.required_claims
        for name, text in required.items():
            if name in _CHECKED_ANYWAY or not isinstance(text, str) or not text:
                raise ConfigurationError(
                    f"required_claims are claims and their texts; {', '.join(sorted(_CHECKED_ANYWAY))} have checks of "
                    "their own"
                )
        if self.subject is not None and "{application}" not in self.subject:
            raise ConfigurationError("subject has {application} in it, or is None for any subject")
        if self.subject is None and not self.required_claims and self.token_types != {TOKEN_TYPE}:
            raise ConfigurationError(
                f"required_claims or subject must tell access tokens from others, where typ is not {TOKEN_TYPE} alone"
            )
        if not 0 < self.longest_lifetime <= _LONGEST_LIFETIME:
            raise ConfigurationError(f"longest_lifetime is more than 0 and at most {_LONGEST_LIFETIME} seconds")
