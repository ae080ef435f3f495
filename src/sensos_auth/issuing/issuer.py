"""Issuing, whole: an application's credentials become an access token."""

from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated

import msgspec

from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.minting import new_token_id
from sensos_auth.model.access_token import Claims
from sensos_auth.model.application_secret import digest, has_valid_checksum
from sensos_auth.model.errors import AuthenticationFailed
from sensos_auth.model.lifetime import LONGEST_LIFETIME
from sensos_auth.registry.credentials import Credential, CredentialReader

# Looked at when there is no such secret, so that the refusal takes as long as any other.
_NOBODY = Credential("", "", "", None, None, "", None, None, 0, 0)

# Called for each token before it is minted, with the credential it is for, the time now (UTC seconds) and its lifetime
# in seconds. It counts them, and may refuse one: what it raises, issue() raises.
Meter = Callable[[Credential, int, int], None]


def unmetered(_credential: Credential, _now: int, _lifetime: int) -> None:
    """Let each token pass, and count none."""


# Characters of each credential: none is as long.
LARGEST_FIELD = 256
_Field = Annotated[str, msgspec.Meta(min_length=1, max_length=LARGEST_FIELD)]


class ApplicationCredentials(msgspec.Struct, frozen=True, rename="camel"):
    """What an application shows. Its representation hides the secret."""

    tenant_id: _Field
    application_id: _Field
    application_secret: _Field

    def __repr__(self) -> str:
        return "ApplicationCredentials(…)"


class IssuedToken(msgspec.Struct, frozen=True, rename="camel"):
    """The answer: an access token, and in how many seconds it expires. Its representation hides the token."""

    access_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"IssuedToken(expires_in={self.expires_in})"


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """What this deployment puts into its tokens: ``iss``, ``aud`` and the default lifetime in seconds."""

    issuer: str
    audience: str
    lifetime: int


class Issuer:
    """Issues access tokens from one registry. ``clock`` returns UTC seconds."""

    def __init__(
        self,
        reader: CredentialReader,
        keyring: Keyring,
        settings: TokenSettings,
        clock: Callable[[], int],
        meter: Meter = unmetered,
    ) -> None:
        self._reader = reader
        self._keyring = keyring
        self._settings = settings
        self._clock = clock
        self._meter = meter

    def issue(self, shown: ApplicationCredentials) -> IssuedToken:
        """Return a fresh access token for the credentials.

        Raises AuthenticationFailed, the same for every cause; RegistryUnavailable when nothing can be said now; NotHeld
        when the credential must be fetched first; and for good credentials what the meter raises.
        """
        if not has_valid_checksum(shown.application_secret):
            raise AuthenticationFailed
        found = self._reader.find(digest(shown.application_secret))
        now = self._clock()
        may_have_token = _may_have_token(found or _NOBODY, shown, now)
        if found is None or not may_have_token:
            raise AuthenticationFailed
        signer = self._keyring.signer(now, found.signing_keys_version)
        lifetime = min(found.lifetime or self._settings.lifetime, LONGEST_LIFETIME)
        self._meter(found, now, lifetime)
        claims = Claims(
            iss=self._settings.issuer,
            sub=found.application_id,
            aud=found.audience or self._settings.audience,
            iat=now,
            exp=now + lifetime,
            jti=new_token_id(),
            client_id=found.application_id,
            tenant_id=found.tenant_id,
            credential_id=found.secret_id,
            rv=found.version,
            scope=found.scope,
        )
        token = signer.mint(claims)
        self._reader.check_still_good()  # or this process was stopped since, and the token is thrown away
        return IssuedToken(token, lifetime)


def _may_have_token(found: Credential, shown: ApplicationCredentials, now: int) -> bool:
    # All of it is looked at, whatever fails first: the time says no more than the answer.
    names_match = compare_digest(found.tenant_id.encode(), shown.tenant_id.encode()) & compare_digest(
        found.application_id.encode(), shown.application_id.encode()
    )
    is_unexpired = found.expires_at is None or now < found.expires_at
    return names_match & is_unexpired & (found.withdrawn_at is None)
