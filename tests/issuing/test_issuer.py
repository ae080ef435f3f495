import pytest

from sensos_auth.issuing.issuer import ApplicationCredentials, IssuedToken
from sensos_auth.issuing.key_rotation import revoke
from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.model.errors import AuthenticationFailed, RegistryUnavailable
from sensos_auth.model.identifiers import new_application_id, new_tenant_id
from sensos_auth.model.signing_key import ALGORITHMS, Algorithm
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import disable_application, enable_application
from sensos_auth.registry.secrets import create_secret, list_secrets, revoke_secret
from sensos_auth.registry.tenants import disable_tenant, enable_tenant
from tests.issuing.deployment import MASTER_KEY, Deployment
from tests.registries import START, Clock


@pytest.fixture
def deployment(sqlite_registry: Registry, clock: Clock) -> Deployment:
    """Return an issuer with its first key."""
    return Deployment(sqlite_registry, clock)


def _refused(deployment: Deployment, shown: ApplicationCredentials) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        deployment.issuer.issue(shown)
    # Every cause looks the same: no text, no cause, no context.
    assert (caught.value.args, caught.value.__cause__, caught.value.__context__) == ((), None, None)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_claims_are_those_of_the_contract(sqlite_registry: Registry, clock: Clock, algorithm: Algorithm) -> None:
    """Every claim has the value that DESIGN section 3 gives it."""
    deployment = Deployment(sqlite_registry, clock, algorithm)
    shown = deployment.new_application(scope="read write")
    with sqlite_registry.view() as view:
        version, *_ = view.statements.clock(view.connection)
        credential_id = list_secrets(view, shown.application_id)[0].secret_id
    clock.advance(5)
    claims = deployment.claims(deployment.issuer.issue(shown).access_token)
    assert len(str(claims.pop("jti"))) == 22
    assert claims == {
        "iss": "https://auth.example",
        "sub": shown.application_id,
        "aud": "api",
        "iat": START + 5,
        "exp": START + 5 + 36_000,
        "client_id": shown.application_id,
        "tenant_id": shown.tenant_id,
        "credential_id": credential_id,
        "scope": "read write",
        "rv": version,
    }


def test_application_without_scope_gets_no_scope_claim(deployment: Deployment) -> None:
    """An empty scope is left out."""
    assert "scope" not in deployment.claims(deployment.issuer.issue(deployment.new_application()).access_token)


def test_every_token_has_an_id_of_its_own(deployment: Deployment) -> None:
    """Two tokens of the same second differ in ``jti``."""
    shown = deployment.new_application()
    assert len({deployment.claims(deployment.issuer.issue(shown).access_token)["jti"] for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("tenant_lifetime", "lifetime", "expected"),
    [(None, None, 36_000), (600, None, 600), (None, 60, 60), (600, 60, 60), (60, 86_400, 86_400), (1, 1, 1)],
)
def test_e29_expires_in_is_the_truth(
    deployment: Deployment, tenant_lifetime: int | None, lifetime: int | None, expected: int
) -> None:
    """The most specific lifetime decides, and ``expiresIn`` is ``exp - iat``."""
    issued = deployment.issuer.issue(deployment.new_application(tenant_lifetime=tenant_lifetime, lifetime=lifetime))
    claims = deployment.claims(issued.access_token)
    assert isinstance(claims["exp"], int)
    assert isinstance(claims["iat"], int)
    assert issued.expires_in == claims["exp"] - claims["iat"] == expected


def test_unknown_ones_are_refused(deployment: Deployment) -> None:
    """Unknown tenant, application and secret."""
    good = deployment.new_application()
    tenant, application, secret = good.tenant_id, good.application_id, good.application_secret
    for shown in [
        (new_tenant_id(), application, secret),
        (tenant, new_application_id(), secret),
        (tenant, application, new_secret()),
        (new_tenant_id(), new_application_id(), new_secret()),
        ("", "", ""),
        ("é", "\x00", "' OR '1'='1"),
        (tenant.upper(), application, secret),
        (tenant + " ", application, secret),
        (tenant, application.upper(), secret),
        (tenant, application, secret.swapcase()),
        (tenant, application, secret + " "),
        (application, tenant, secret),
    ]:
        _refused(deployment, ApplicationCredentials(*shown))
    assert deployment.issuer.issue(good).access_token


def test_a22_own_secret_with_another_tenant_is_refused(deployment: Deployment) -> None:
    """A tenant can't act for another with an application of its own, nor for its application as itself."""
    ours, theirs = deployment.new_application(), deployment.new_application()
    _refused(deployment, ApplicationCredentials(theirs.tenant_id, ours.application_id, ours.application_secret))
    _refused(deployment, ApplicationCredentials(ours.tenant_id, theirs.application_id, theirs.application_secret))


def test_a23_secret_of_another_application_is_refused(deployment: Deployment) -> None:
    """A secret works for its own application only."""
    ours, theirs = deployment.new_application(), deployment.new_application()
    _refused(deployment, ApplicationCredentials(ours.tenant_id, ours.application_id, theirs.application_secret))


def test_a25_stored_digest_is_no_secret(deployment: Deployment) -> None:
    """Who reads the database can't log in with what is stored there."""
    good = deployment.new_application()
    stored = digest(good.application_secret)
    for text in (stored.hex(), stored.hex().upper(), stored.decode("latin-1"), "sensos_sk_" + stored.hex()[:49]):
        _refused(deployment, ApplicationCredentials(good.tenant_id, good.application_id, text))


def test_a26_secret_ends_at_its_second(deployment: Deployment, clock: Clock) -> None:
    """One second before its end a secret works; at its end it doesn't, and never again (A27: nothing cleans it up)."""
    good = deployment.new_application(expires_in=60)
    clock.advance(59.999)
    assert deployment.issuer.issue(good).access_token
    clock.advance(0.001)
    _refused(deployment, good)
    clock.advance(10**6)
    _refused(deployment, good)


def test_a26_old_and_new_secret_overlap_until_the_old_is_revoked(deployment: Deployment) -> None:
    """Rotation without downtime: both work, then only the new one."""
    old = deployment.new_application()
    with deployment.registry.change("me") as change:
        new = create_secret(change, application_id=old.application_id)
    shown = ApplicationCredentials(old.tenant_id, old.application_id, new.shown)
    assert deployment.issuer.issue(old).access_token
    assert deployment.issuer.issue(shown).access_token
    with deployment.registry.change("me") as change:
        revoke_secret(change, next(s.secret_id for s in list_secrets(change, old.application_id) if s != new.kept))
    _refused(deployment, old)
    assert deployment.issuer.issue(shown).access_token


def test_a28_disabled_application_and_tenant_are_refused_until_enabled(deployment: Deployment) -> None:
    """Disabling takes effect with the next request, enabling too."""
    good = deployment.new_application()
    for disable, enable, subject in (
        (disable_application, enable_application, good.application_id),
        (disable_tenant, enable_tenant, good.tenant_id),
    ):
        with deployment.registry.change("me") as change:
            disable(change, subject)
        _refused(deployment, good)
        with deployment.registry.change("me") as change:
            enable(change, subject)
        assert deployment.issuer.issue(good).access_token


def test_a29_disabled_tenant_wins_over_enabled_application(deployment: Deployment) -> None:
    """Enabling the application of a disabled tenant opens nothing."""
    good = deployment.new_application()
    with deployment.registry.change("me") as change:
        disable_tenant(change, good.tenant_id)
        enable_application(change, good.application_id)
    _refused(deployment, good)


def test_a24_typing_error_needs_no_look_up(deployment: Deployment) -> None:
    """A wrong checksum is refused though the registry is closed; a right one needs the registry."""
    good = deployment.new_application()
    deployment.registry.close()
    secret = good.application_secret
    typing_error = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    _refused(deployment, ApplicationCredentials(good.tenant_id, good.application_id, typing_error))
    with pytest.raises(Exception, match="closed"):
        deployment.issuer.issue(good)


def test_revoked_key_signs_nothing_more(deployment: Deployment) -> None:
    """The token after ``keys revoke`` is signed with another key, by a worker that held the old one."""
    good = deployment.new_application()
    before = deployment.issuer.issue(good).access_token
    (key,) = deployment.keys()
    revoke(deployment.registry, MASTER_KEY, "ES256", key.kid, actor="me")
    after = deployment.issuer.issue(good).access_token
    assert deployment.claims(after)
    with pytest.raises(KeyError):
        deployment.claims(before)


def test_z53_clock_an_hour_back_still_issues(deployment: Deployment, clock: Clock) -> None:
    """Set back behind the first key's beginning, the service goes on; ``rv`` never falls."""
    good = deployment.new_application()
    first = deployment.claims(deployment.issuer.issue(good).access_token)
    clock.advance(-3600)
    for worker in (deployment, Deployment(deployment.registry, clock)):
        claims = worker.claims(worker.issuer.issue(good).access_token)
        assert claims["iat"] == START - 3600
        assert claims["rv"] == first["rv"]


def test_no_key_at_all_is_registry_unavailable(deployment: Deployment) -> None:
    """Without a signing key nothing can be said now, and nobody is told that the credentials were bad."""
    good = deployment.new_application()
    with deployment.registry.database.write() as connection:
        connection.execute("DELETE FROM signing_keys")
        connection.execute("UPDATE clock SET signing_keys_version = version")
    with pytest.raises(RegistryUnavailable):
        deployment.issuer.issue(good)


def test_representations_hide_secrets_and_tokens() -> None:
    """What is shown and what is answered can be printed by mistake."""
    assert "canary" not in repr(ApplicationCredentials("ten_canary", "app_canary", "canary"))
    assert repr(IssuedToken("canary", 5)) == "IssuedToken(expires_in=5)"
