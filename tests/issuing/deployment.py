"""A whole issuing side on a registry: credentials to show, keys that sign, a clock to move."""

from dataclasses import dataclass, field

import jwt

from sensos_auth.issuing.issuer import ApplicationCredentials, Issuer, TokenSettings
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.signing_key import Algorithm, SigningKey
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.credentials import SqliteCredentialReader
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenants import create_tenant
from tests.registries import Clock

MASTER_KEY = MasterKey(bytes(range(32)))
SETTINGS = TokenSettings("https://auth.example", "api", 36_000)


@dataclass
class Deployment:
    """One issuer on one registry on SQLite."""

    registry: Registry
    clock: Clock
    algorithm: Algorithm = "ES256"
    issuer: Issuer = field(init=False)

    def __post_init__(self) -> None:
        """Make the first key."""
        keep_keys_current(self.registry, MASTER_KEY, self.algorithm)
        assert isinstance(self.registry.database, SqliteDatabase)
        self.keyring = Keyring(KeysInRegistry(self.registry), MASTER_KEY)
        reader = SqliteCredentialReader(self.registry.database)
        self.issuer = Issuer(reader, self.keyring, SETTINGS, self.clock.seconds)

    def new_application(
        self,
        *,
        tenant_lifetime: int | None = None,
        lifetime: int | None = None,
        scope: str = "",
        expires_in: int | None = None,
    ) -> ApplicationCredentials:
        """Make a tenant with an application with a secret, and return what the application shows."""
        with self.registry.change("test") as change:
            tenant = create_tenant(change, name="Acme", lifetime=tenant_lifetime)
            application = create_application(
                change, tenant_id=tenant.tenant_id, name="Pump", scope=scope, lifetime=lifetime
            )
            new = create_secret(change, application_id=application.application_id, expires_in=expires_in)
        return ApplicationCredentials(tenant.tenant_id, application.application_id, new.shown)

    def keys(self) -> list[SigningKey]:
        """Return the signing keys as the registry has them."""
        with self.registry.view() as view:
            return list_signing_keys(view)

    def claims(self, token: str) -> dict[str, object]:
        """Return the claims of a token that one of the published keys signed, with PyJWT; times are left unchecked."""
        published = jwt.PyJWKSet.from_json(self.keyring.jwks(self.clock.seconds()).decode())
        claims: dict[str, object] = jwt.decode(
            token,
            published[jwt.get_unverified_header(token)["kid"]],
            algorithms=["ES256", "RS256", "EdDSA"],
            audience=SETTINGS.audience,
            issuer=SETTINGS.issuer,
            options={"verify_exp": False, "verify_iat": False},
        )
        return claims
