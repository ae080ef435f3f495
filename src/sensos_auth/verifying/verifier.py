"""An access token becomes a caller, or is refused."""

import time
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from sys import intern
from typing import TYPE_CHECKING

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.claims import check_addressees, lifespan_of, refuse_confirmation
from sensos_auth.verifying.compact_jws import LARGEST_TOKEN, CompactJws, parse_compact_jws
from sensos_auth.verifying.errors import InsufficientScope, InvalidToken
from sensos_auth.verifying.keys import VerificationKey, VerificationKeys
from sensos_auth.verifying.profile import Profile
from sensos_auth.verifying.revocations import Revocations
from sensos_auth.verifying.sensos_profile import SENSOS
from sensos_auth.verifying.strict_json import parse_object
from sensos_auth.verifying.verdicts import Verdict, Verdicts

if TYPE_CHECKING:
    import os

    from sensos_auth.verifying.connected import ConnectedVerifier
    from sensos_auth.verifying.feed_follower import WhenStale
    from sensos_auth.verifying.own_token import VerifierCredentials

REMEMBERED_VERDICTS = 100_000
_MOST_SHARED_SCOPES = 64  # larger sets would make the memory for them large as well


class Verifier:
    """Verifies the access tokens of one issuer for one audience. One for each API service, used by all its threads.

    ``issuer`` and ``audience`` are compared letter by letter with the claims ``iss`` and ``aud``. ``revocations`` says
    which tokens are void before they expire; without it, a token is good until then. ``profile`` is how the issuer
    writes its tokens: by default as this product does, otherwise a :class:`ForeignIssuer`. The verdicts on up to
    ``remembered_verdicts`` good tokens, and as many KiB, are kept in memory, by digest only; every use asks again
    whether the token has expired, its key still stands and it was not revoked. ``clock`` returns UTC seconds.

    Raises ConfigurationError when issuer or audience is empty or no text, or the keys are read with another profile.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: VerificationKeys,
        revocations: Revocations | None = None,
        profile: Profile = SENSOS,
        remembered_verdicts: int = REMEMBERED_VERDICTS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        texts: dict[str, object] = {"issuer": issuer, "audience": audience}
        for name, value in texts.items():
            if not isinstance(value, str) or not value or value != value.strip():
                raise ConfigurationError(
                    f"a verifier needs to know the {name} whose tokens it accepts: a text without spaces around it"
                )
        if getattr(keys, "profile", profile) != profile:
            raise ConfigurationError("keys and verifier need the same profile: give it to both")
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._revocations = _NothingRevoked() if revocations is None else revocations
        self._profile = profile
        self._clock = clock
        self._verdicts = Verdicts(remembered_verdicts)

    @staticmethod
    def connect(
        issuer: str,
        *,
        audience: str,
        feed: bool = True,
        credentials: "VerifierCredentials | None" = None,
        name: str | None = None,
        max_staleness: float = 60.0,
        when_stale: "WhenStale" = "accept",
        longest_outage: float = 24 * 3600.0,
        state_folder: "str | os.PathLike[str] | None" = None,
        allow_insecure_http: bool = False,
        remembered_verdicts: int = REMEMBERED_VERDICTS,
    ) -> "ConnectedVerifier":
        """Return a verifier of the tokens of the Sensos Auth service at this URL, which is its issuer as well.

        It fetches the keys from there (:class:`RemoteJwks`, which ``longest_outage`` is for), and follows what is
        revoked (:class:`RemoteRevocations`, which ``credentials``, ``name``, ``max_staleness`` and ``when_stale`` are
        for), unless ``feed`` is false. With ``state_folder`` both are kept on disk, for a start while the service is
        away. Nothing is asked for before the first use. Raises ConfigurationError.
        """
        from sensos_auth.verifying.connected import ConnectedVerifier  # noqa: PLC0415 - it is a verifier itself
        from sensos_auth.verifying.issuer_url import check_issuer_url  # noqa: PLC0415
        from sensos_auth.verifying.kept_document import KeptDocument  # noqa: PLC0415
        from sensos_auth.verifying.remote_jwks import RemoteJwks  # noqa: PLC0415
        from sensos_auth.verifying.remote_revocations import RemoteRevocations  # noqa: PLC0415

        check_issuer_url(issuer, "the issuer", allow_insecure_http=allow_insecure_http)
        keys = RemoteJwks(
            issuer.rstrip("/") + "/.well-known/jwks.json",
            longest_outage=longest_outage,
            allow_insecure_http=allow_insecure_http,
            kept=None if state_folder is None else KeptDocument(state_folder, "keys", issuer),
        )
        revocations = None
        if feed:
            revocations = RemoteRevocations(
                issuer,
                keys=keys,
                credentials=credentials,
                name=name,
                max_staleness=max_staleness,
                when_stale=when_stale,
                allow_insecure_http=allow_insecure_http,
                state_folder=state_folder,
            )
        return ConnectedVerifier(
            issuer=issuer,
            audience=audience,
            keys=keys,
            revocations=revocations,
            remembered_verdicts=remembered_verdicts,
        )

    def verify(self, token: str, *, scope: str = "") -> Caller:
        """Return whom the access token speaks for. No network, no disk: keys and revocations are held in memory.

        ``scope`` names the scopes, space-separated, that the token must all have. Raises InvalidToken for a token
        that is not good, InsufficientScope for a good one without them, KeysUnavailable and RevocationsUnavailable
        when nothing can be said, InvalidInput for a ``scope`` that is none.
        """
        if len(token) > LARGEST_TOKEN:
            raise InvalidToken("too large")
        digest = sha256(token.encode("utf-8", "replace")).digest()  # what was replaced is refused when it is parsed
        verdict = self._verdicts.get(digest)
        if (
            verdict is None
            or not verdict.begins_at <= self._clock() < verdict.expires_at
            or self._keys.find(verdict.kid) is not verdict.key
        ):
            verdict = self._check(token)
            self._verdicts.put(digest, verdict)
        elif self._revocations.generation() != verdict.generation:
            self._check_revocations(verdict)
        caller = verdict.caller
        if scope and not caller.scopes >= _scopes_of(scope):
            raise InsufficientScope(normalize_scope(scope))
        return caller

    def _check(self, token: str) -> Verdict:
        jws = parse_compact_jws(token)
        key = self._check_signature(jws)
        try:
            claims = parse_object(jws.payload)
        except ValueError:
            raise InvalidToken("the claims are not a JSON object") from None
        profile = self._profile
        check_addressees(claims, issuer=self._issuer, audience=self._audience, lists=profile.audience_lists)
        lifespan = lifespan_of(claims, now=self._clock(), longest_lifetime=profile.longest_lifetime)
        tenant_id, application_id, scopes, token_id = profile.identity_of(claims)
        refuse_confirmation(claims)
        generation = self._revocations.generation()
        if self._revocations.voids(profile.provenance_of(key.kid, claims)):
            raise InvalidToken("revoked")
        caller = Caller(
            tenant_id=intern(tenant_id),  # in thousands of verdicts, each name is there once
            application_id=intern(application_id),
            scopes=_shared(scopes) if len(scopes) <= _MOST_SHARED_SCOPES else scopes,
            token_id=token_id,
            expires_at=lifespan.expires_at,
            payload=jws.payload,
        )
        return Verdict(caller, key, lifespan.begins_at, generation)

    def _check_signature(self, jws: CompactJws) -> VerificationKey:
        if not self._is_access_token(jws.header.get("typ", "")):
            raise InvalidToken("not typed as an access token")
        kid = jws.header.get("kid")
        if not isinstance(kid, str) or not self._profile.key_id.fullmatch(kid):
            raise InvalidToken("no key ID of the right form")
        key = self._keys.find(kid)
        if key is None:
            raise InvalidToken("unknown key ID")
        if key.algorithm not in self._profile.algorithms or not key.verifies(jws):
            raise InvalidToken("wrong signature")
        return key

    def _is_access_token(self, token_type: object) -> bool:
        # RFC 9068 section 4; a media type is compared without regard to case (RFC 7515 section 4.1.9).
        return (
            isinstance(token_type, str)
            and token_type.isascii()
            and token_type.lower().removeprefix("application/") in self._profile.token_types
        )

    def _check_revocations(self, verdict: Verdict) -> None:
        generation = self._revocations.generation()  # before it is asked: what comes in between is asked for next time
        claims = parse_object(verdict.caller.payload)
        if self._revocations.voids(self._profile.provenance_of(verdict.kid, claims)):
            raise InvalidToken("revoked")
        verdict.generation = generation


class _NothingRevoked:
    """What is heard of revocations where nobody tells of any."""

    def generation(self) -> int:
        return 0

    def voids(self, token: object) -> bool:  # noqa: ARG002 - as the protocol
        return False


@lru_cache(maxsize=1024)  # bounded: a gateway asks for whatever scopes its clients name
def _scopes_of(scope: str) -> frozenset[str]:
    return frozenset(normalize_scope(scope).split())


@lru_cache(maxsize=1024)
def _shared(scopes: frozenset[str]) -> frozenset[str]:
    return scopes
