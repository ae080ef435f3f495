"""The token endpoint of a node on PostgreSQL: what it does with what it holds, and with what it must fetch first."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator

import jwt
import psycopg
import pytest

from sensos_auth.issuing.issuer import ApplicationCredentials, Issuer
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.model.errors import AuthenticationFailed, RegistryUnavailable
from sensos_auth.registry.applications import (
    change_application,
    create_application,
    disable_application,
    enable_application,
)
from sensos_auth.registry.credentials import Credential, NotHeld
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.secrets import create_secret, list_secrets, revoke_secret
from sensos_auth.registry.tenants import create_tenant, disable_tenant
from sensos_auth.server.answers import Answer
from sensos_auth.server.asgi import Message
from sensos_auth.server.at_hand import at_hand
from sensos_auth.server.token_endpoint import TokenEndpoint
from tests.issuing.deployment import MASTER_KEY, SETTINGS
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place


class Site:
    """A registry on PostgreSQL, and a node of it, in this process."""

    def __init__(self, url: str) -> None:
        self.place = Place("postgresql", url, Clock(int(time.time())))
        self.registry = self.place.open()
        keep_keys_current(self.registry, MASTER_KEY, "ES256")
        self.known = at_hand(self.place.open(), SETTINGS.issuer)
        self.counted = 0
        self.fetched: list[bytes] = []
        self.issuer = Issuer(
            self.known.credentials,
            Keyring(self.known.keys, MASTER_KEY),
            SETTINGS,
            self.place.clock.seconds,
            self._count,
        )
        self.endpoint = TokenEndpoint(self.issuer, self._fetch, lambda _scope, _application_id: AuthenticationFailed())

    def _count(self, _credential: Credential, _now: int, _lifetime: int) -> None:
        self.counted += 1

    async def _fetch(self, wanted: bytes) -> None:
        assert self.known.fetch is not None
        self.fetched.append(wanted)
        await self.known.fetch(wanted)

    def new_application(self) -> ApplicationCredentials:
        """Make an application of a tenant of its own, and return what it shows."""
        with self.registry.change("me") as change:
            tenant = create_tenant(change, name="Acme")
            application = create_application(change, tenant_id=tenant.tenant_id, name="Pump")
            new = create_secret(change, application_id=application.application_id)
        return ApplicationCredentials(tenant.tenant_id, application.application_id, new.shown)

    def run(self, use: Callable[[], Awaitable[None]]) -> None:
        """Run the coroutine function while the node follows the registry, and has heard of it."""

        async def whole() -> None:
            for part in self.known.parts:
                part.start()
            try:
                await self.ready()
                await use()
            finally:
                for part in self.known.parts:
                    part.close()

        asyncio.run(whole())

    async def ready(self) -> None:
        """Return when the node has heard of the last change."""
        with self.registry.view() as view:
            version, *_ = view.statements.clock(view.connection)
        assert self.known.version is not None
        for _ in range(1_000):
            if self.known.version() >= version:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("nothing is heard")

    async def ask(self, shown: ApplicationCredentials) -> Answer:
        """Return the answer to a request; raises what it is refused with."""
        body = json.dumps(
            {
                "tenantId": shown.tenant_id,
                "applicationId": shown.application_id,
                "applicationSecret": shown.application_secret,
            }
        ).encode()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        scope = {"method": "POST", "headers": [(b"content-type", b"application/json")]}
        return await self.endpoint(scope, receive)

    async def claims(self, shown: ApplicationCredentials) -> dict[str, object]:
        """Return the claims of the token that is answered."""
        answer = await self.ask(shown)
        claims: dict[str, object] = jwt.decode(
            json.loads(answer.body)["accessToken"], options={"verify_signature": False}
        )
        return claims

    async def is_refused(self, shown: ApplicationCredentials) -> list[bytes]:
        """Return what was fetched before it was refused."""
        self.fetched.clear()
        with pytest.raises(AuthenticationFailed):
            await self.ask(shown)
        return self.fetched[:]


@pytest.fixture
def site() -> Iterator[Site]:
    """Return a registry and a node of it."""
    site = Site(new_database_url())
    yield site
    site.place.close()


def test_first_token_is_fetched_for_and_the_others_come_from_memory(site: Site) -> None:
    """The registry is asked once, however long it goes on; each token says the version that was confirmed last."""
    shown = site.new_application()

    async def use() -> None:
        first = await site.claims(shown)
        await asyncio.sleep(3 * LEASE)
        await asyncio.gather(*(site.ask(shown) for _ in range(100)))
        assert site.fetched == [digest(shown.application_secret)]
        other = site.new_application()
        await site.ready()
        later = await site.claims(shown)
        assert site.fetched == [digest(shown.application_secret)]
        assert int(str(later["rv"])) > int(str(first["rv"]))
        await site.ask(other)
        assert site.counted == 103

    site.run(use)


@pytest.mark.parametrize("is_held", [False, True], ids=["cold", "warm"])
def test_every_refusal_looks_once_at_the_registry(site: Site, *, is_held: bool) -> None:
    """So that the time tells neither the cause nor what others have used; what can't be a secret needs no look."""
    good, revoked, disabled, homeless = (site.new_application() for _ in range(4))

    async def use() -> None:
        if is_held:
            for shown in (good, revoked, disabled, homeless):
                await site.ask(shown)
        with site.registry.change("me") as change:
            (secret,) = list_secrets(change, revoked.application_id)
            revoke_secret(change, secret.secret_id)
            disable_application(change, disabled.application_id)
            disable_tenant(change, homeless.tenant_id)
        await site.ready()
        unknown = new_secret()
        for _ in range(3):
            for shown in (
                revoked,
                disabled,
                homeless,
                ApplicationCredentials(revoked.tenant_id, good.application_id, good.application_secret),
                ApplicationCredentials(good.tenant_id, revoked.application_id, good.application_secret),
                ApplicationCredentials(good.tenant_id, good.application_id, unknown),
            ):
                assert await site.is_refused(shown) == [digest(shown.application_secret)]
        malformed = ApplicationCredentials(good.tenant_id, good.application_id, good.application_secret[:-1] + "~")
        assert await site.is_refused(malformed) == []
        assert (await site.ask(good)).status == 200

    site.run(use)


def test_what_was_enabled_is_good_at_once(site: Site) -> None:
    """Whether or not the node has heard of it."""
    shown = site.new_application()

    async def use() -> None:
        for _ in range(10):
            with site.registry.change("me") as change:
                disable_application(change, shown.application_id)
            await site.ready()
            assert await site.is_refused(shown)
            with site.registry.change("me") as change:
                enable_application(change, shown.application_id)
            assert (await site.ask(shown)).status == 200

    site.run(use)


def test_z46_token_of_a_process_that_was_stopped_is_thrown_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped between finding and the end of the signing, and the application is disabled meanwhile: no token."""
    shown = site.new_application()
    take = site.issuer._meter

    def stop_once(*_: object) -> None:
        monkeypatch.setattr(site.issuer, "_meter", take)
        with site.registry.change("me") as change:
            disable_application(change, shown.application_id)
        time.sleep(LEASE + 0.01)  # as the change would have, before it returned

    async def use() -> None:
        await site.ask(shown)
        monkeypatch.setattr(site.issuer, "_meter", stop_once)
        with pytest.raises(AuthenticationFailed):
            await site.ask(shown)

    site.run(use)


def test_z46_process_that_was_stopped_goes_on_where_nothing_has_changed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token is thrown away nevertheless; the next one is made of what is fetched."""
    shown = site.new_application()
    take = site.issuer._meter

    def stop_once(credential: Credential, now: int, lifetime: int) -> None:
        monkeypatch.setattr(site.issuer, "_meter", take)
        take(credential, now, lifetime)
        time.sleep(LEASE + 0.01)

    async def use() -> None:
        await site.ask(shown)
        site.fetched.clear()
        monkeypatch.setattr(site.issuer, "_meter", stop_once)
        assert (await site.ask(shown)).status == 200
        assert site.fetched == [digest(shown.application_secret)]

    site.run(use)


def test_z37_registry_that_answers_too_slowly_is_503(site: Site) -> None:
    """What takes a lease to read is worth nothing when it is there: after a second at most, the client is told."""
    shown = site.new_application()

    async def use() -> None:
        await site.ask(shown)
        with site.registry.change("me") as change:
            change_application(change, shown.application_id, scope="other")
        await site.ready()
        with psycopg.connect(site.place.address) as other:
            other.execute("LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE")
            began = time.monotonic()
            with pytest.raises(RegistryUnavailable):
                await site.ask(shown)
            assert time.monotonic() - began < 1.2
        assert (await site.claims(shown))["scope"] == "other"

    site.run(use)


def test_application_that_is_changed_all_the_time_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice fetched and twice gone: nobody waits for ever."""
    shown = site.new_application()

    def never(_shown: ApplicationCredentials) -> None:
        raise NotHeld

    async def use() -> None:
        monkeypatch.setattr(site.issuer, "issue", never)
        with pytest.raises(RegistryUnavailable, match="changed all the time"):
            await site.ask(shown)
        assert len(site.fetched) == 2

    site.run(use)
