"""What the probes have to work with: the endpoint, a good token, and what else could be had."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sensos_auth.probing.endpoint import Endpoint
from sensos_auth.probing.issuer_keys import IssuerKeys
from sensos_auth.probing.key_server import KeyServer
from sensos_auth.probing.tokens import GoodToken, OwnKeys, Sign, changed, token

NEEDS_REGISTRY = "needs --with-registry: a token that is signed with the issuer's key"
NEEDS_SCOPE = "needs --scope: what this endpoint demands"
NEEDS_PUBLIC_KEYS = "needs the issuer's JWKS, which could not be had"
NEEDS_THIS_MACHINE = "needs a service on this machine, which can reach a server of the probe's own"
NEEDS_UNSAFE_METHODS = "left out by --only-safe-methods"


@dataclass(frozen=True, slots=True)
class Registry:
    """What can be done where the issuer's registry is: sign with its key, and revoke a token that was so signed.

    ``revoke`` takes a token ID and the time at which the token expires (UTC seconds).
    """

    kid: str
    algorithm: str
    sign: Sign = field(repr=False)
    revoke: Callable[[str, int], None]


@dataclass(frozen=True)
class Means:
    """``scope`` is what the endpoint demands, or empty; ``now`` are UTC seconds."""

    endpoint: Endpoint
    good: GoodToken
    issuer_keys: IssuerKeys | None
    registry: Registry | None
    scope: str
    now: int
    only_safe_methods: bool = False
    own_keys: OwnKeys = field(default_factory=OwnKeys)
    key_server: KeyServer | None = None

    def own_header(self, **changes: object) -> dict[str, object]:
        """Return the good token's header, for ES256, with members changed or added; ``...`` leaves one out."""
        return changed({**self.good.header, "alg": "ES256"}, changes)

    def fresh_claims(self, changes: Mapping[str, object]) -> dict[str, object]:
        """Return the good token's claims, issued now, with claims changed or added; ``...`` leaves one out."""
        times = {"iat": self.now, "exp": self.now + 600}
        return changed({**self.good.claims, **times}, changes)

    def issuer_signed(self, registry: Registry, header: Mapping[str, object], claims: object) -> str:
        """Return a token with these claims, signed with the issuer's key; ``header`` are changes to the right one."""
        right = {"alg": registry.algorithm, "typ": "at+jwt", "kid": registry.kid}
        return token(changed(right, header), claims, registry.sign)
