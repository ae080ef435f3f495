"""Is it safe to retire a secret? Never said where it can't be known; and secrets that retire by themselves."""

from collections.abc import Callable

import pytest

from sensos_auth.model.errors import NotFound
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.automatic_retirement import retire_unused_secrets
from sensos_auth.registry.retirement import QUIET, RetirementAdvice, retirement_advice
from sensos_auth.registry.secrets import change_secret, create_secret, get_secret, revoke_secret, rotate_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.usage import MinuteCount, record_counts
from tests.registries import Clock, Place

HOUR = 3600
DAY = 24 * HOUR
LIFETIME = 10 * HOUR


class Rotated:
    """An application with an old secret and a new one, at which tests write down uses."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self.registry, self.clock = registry, clock
        with registry.change("me") as change:
            change.statements.note_recording_of_uses(change.connection, now=change.now)
            tenant_id = create_tenant(change, name="Acme").tenant_id
            self.application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
            self.old = create_secret(change, application_id=self.application_id).kept.secret_id
        clock.advance(60)
        with registry.change("me") as change:
            self.new = create_secret(change, application_id=self.application_id).kept.secret_id

    def use(self, secret_id: str) -> None:
        """Write down that the secret was used now, for a token of ten hours."""
        now = self.clock.seconds()
        with self.registry.observation() as view:
            view.connection.execute(f"DELETE FROM secret_uses WHERE secret_id = '{secret_id}'")  # noqa: S608 - ours
            view.connection.execute(
                f"INSERT INTO secret_uses VALUES ('{secret_id}', {now}, {now + LIFETIME})"  # noqa: S608 - ours
            )

    def advice(self, secret_id: str = "") -> RetirementAdvice:
        """Return the advice for the old secret, or another."""
        with self.registry.view() as view:
            return retirement_advice(view, get_secret(view, secret_id or self.old))


@pytest.fixture
def rotated(registry: Registry, clock: Clock) -> Rotated:
    """Return an application that has got its next secret."""
    return Rotated(registry, clock)


def test_z02_safe_when_unused_for_a_day_and_the_new_one_is_in_use(rotated: Rotated, clock: Clock) -> None:
    """The plain case, in plain words."""
    rotated.use(rotated.old)
    used_at = clock.seconds()
    clock.advance(26 * HOUR)
    rotated.use(rotated.new)
    says = "not used for 26 h: safe to retire; its last token expired 16 h ago"
    assert rotated.advice() == RetirementAdvice(
        is_safe=True, says=says, last_used_at=used_at, tokens_expire_at=used_at + LIFETIME, tokens_alive=0
    )


def test_z02_not_yet_when_just_used(rotated: Rotated, clock: Clock) -> None:
    """Somebody still has it; until when to wait at least is said as well."""
    rotated.use(rotated.old)
    clock.advance(180)
    rotated.use(rotated.new)
    advice = rotated.advice()
    assert not advice.is_safe
    assert advice.says == "last used 3 min ago, and 1 of its tokens is alive: not yet, wait until 2027-01-16T09:01:00Z"


def test_tokens_that_are_alive_are_counted(rotated: Rotated, clock: Clock) -> None:
    """Those of the secret's own, as long as they live."""
    minute = clock.seconds() // 60
    rotated.use(rotated.old)
    with rotated.registry.observation() as view:
        counts = [
            MinuteCount(minute - 1200, rotated.application_id, rotated.old, 500, 0),
            MinuteCount(minute - 300, rotated.application_id, rotated.old, 7, 0),
            MinuteCount(minute, rotated.application_id, rotated.old, 5, 0),
            MinuteCount(minute, rotated.application_id, rotated.new, 80, 0),
        ]
        record_counts(view, counts)
    clock.advance(60)
    advice = rotated.advice()
    assert advice.tokens_alive == 12
    assert advice.says.startswith("last used 60 s ago, and 12 of its tokens are alive: not yet, wait until ")


@pytest.mark.parametrize("unused_for", [LIFETIME + 1, DAY, QUIET - 1])
def test_not_yet_while_an_application_may_still_live_on_a_token(
    rotated: Rotated, clock: Clock, unused_for: int
) -> None:
    """Who holds a token for a day asks for none; and what runs once a day has not come yet."""
    rotated.use(rotated.old)
    clock.advance(unused_for)
    rotated.use(rotated.new)
    assert not rotated.advice().is_safe
    clock.advance(QUIET - unused_for)
    assert rotated.advice().is_safe


def test_not_known_when_the_application_may_be_idle(rotated: Rotated, clock: Clock) -> None:
    """No other secret was used since the old one's tokens have expired: the silence says nothing."""
    rotated.use(rotated.old)
    rotated.use(rotated.new)
    clock.advance(30 * DAY)
    advice = rotated.advice()
    assert not advice.is_safe
    assert advice.says == (
        "last used 30 days ago: not known, no other secret of the application was used since its last token expired, "
        "so it may simply be idle"
    )


def test_never_used_though_old_enough(rotated: Rotated, clock: Clock) -> None:
    """An old one that nobody ever used, while the newer one is in use."""
    clock.advance(3 * DAY)
    rotated.use(rotated.new)
    advice = rotated.advice()
    assert advice.is_safe
    assert advice.says == "never used since it was made 3 days ago, and another secret is in use: safe to retire"


def test_never_used_and_the_newest_is_no_leftover(rotated: Rotated, clock: Clock) -> None:
    """It may be on its way to the one whom it was made for."""
    clock.advance(3 * DAY)
    rotated.use(rotated.old)
    advice = rotated.advice(rotated.new)
    assert not advice.is_safe
    assert "the newest one" in advice.says


def test_recording_that_began_later_is_said(registry: Registry, clock: Clock) -> None:
    """What was before is not known, so a day from then on is waited for, too."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
        old = create_secret(change, application_id=application_id).kept.secret_id
    with registry.view() as view:
        advice = retirement_advice(view, get_secret(view, old))
    assert (advice.is_safe, advice.says) == (
        False,
        "whether it is used is not known: the service has not recorded any use yet",
    )
    clock.advance(30 * DAY)
    rotated = Rotated(registry, clock)
    with registry.change("me") as change:
        new = create_secret(change, application_id=application_id).kept.secret_id
    clock.advance(HOUR)
    rotated.use(new)
    began = "never used since last-use recording began at 2027-02-14T08:00:00Z"
    advice = rotated.advice(old)
    assert not advice.is_safe
    assert advice.says.startswith(f"{began}: not yet, wait until ")
    clock.advance(QUIET)
    rotated.use(new)
    advice = rotated.advice(old)
    assert (advice.is_safe, advice.says) == (True, f"{began}, and another secret is in use: safe to retire")


def _revoke_new(rotated: Rotated) -> None:
    with rotated.registry.change("me") as change:
        revoke_secret(change, rotated.new)


def _disable(rotated: Rotated) -> None:
    with rotated.registry.change("me") as change:
        disable_application(change, rotated.application_id)


@pytest.mark.parametrize(("act", "says"), [(_revoke_new, "no other good secret"), (_disable, "is disabled")])
def test_not_safe_whatever_the_silence(
    rotated: Rotated, clock: Clock, act: Callable[[Rotated], None], says: str
) -> None:
    """The only good secret, and a secret that could not be used."""
    rotated.use(rotated.old)
    clock.advance(30 * HOUR)
    rotated.use(rotated.new)
    act(rotated)
    advice = rotated.advice()
    assert not advice.is_safe
    assert says in advice.says


def test_what_is_revoked_is_retired_already(rotated: Rotated) -> None:
    """A script that waits for it goes on."""
    _revoke_new(rotated)
    advice = rotated.advice(rotated.new)
    assert (advice.is_safe, advice.says) == (True, "revoked already: nothing is left to retire")


def _set_to_retire(rotated: Rotated, secret_id: str, unused_for: int) -> None:
    with rotated.registry.change("me") as change:
        change_secret(change, secret_id, retire_unused_for=unused_for)


def _retired(rotated: Rotated) -> list[str]:
    return [secret.secret_id for secret in retire_unused_secrets(rotated.registry)]


def test_z02_unused_secret_is_retired_by_itself(rotated: Rotated, clock: Clock) -> None:
    """When its time without use is over, and the counts that come late are in; once, and the trail says by what."""
    rotated.use(rotated.old)
    _set_to_retire(rotated, rotated.old, DAY)
    clock.advance(DAY + 299)
    assert _retired(rotated) == []
    clock.advance(1)
    assert _retired(rotated) == [rotated.old]
    assert _retired(rotated) == []
    with rotated.registry.view() as view:
        event = list_events(view)[-1]
    assert (event.actor, event.action, event.subject) == ("system:retirement", "secret.revoked", rotated.old)


def test_each_use_puts_the_retirement_off(rotated: Rotated, clock: Clock) -> None:
    """It counts from the last use, or from when it was set, whichever is later."""
    rotated.use(rotated.old)
    clock.advance(2 * DAY)
    _set_to_retire(rotated, rotated.old, DAY)
    clock.advance(DAY)
    rotated.use(rotated.old)
    clock.advance(DAY)
    assert _retired(rotated) == []
    clock.advance(300)
    assert _retired(rotated) == [rotated.old]


def test_z02_the_last_good_secret_is_never_retired(rotated: Rotated, clock: Clock) -> None:
    """Of two that are both unused, the older one goes."""
    _set_to_retire(rotated, rotated.old, DAY)
    _set_to_retire(rotated, rotated.new, DAY)
    clock.advance(2 * DAY)
    assert _retired(rotated) == [rotated.old]
    assert _retired(rotated) == []
    with rotated.registry.view() as view:
        assert get_secret(view, rotated.new).state(clock.seconds()) == "active"


def test_nothing_is_retired_while_it_could_not_be_used(rotated: Rotated, clock: Clock) -> None:
    """Of a disabled application, nobody could use it."""
    _set_to_retire(rotated, rotated.old, DAY)
    _disable(rotated)
    clock.advance(2 * DAY)
    assert _retired(rotated) == []


def test_nothing_is_retired_before_uses_are_recorded(registry: Registry, clock: Clock) -> None:
    """A registry on which no service has run yet."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
        create_secret(change, application_id=application_id)
        rotate_secret(change, application_id=application_id, retire_old_unused_for=DAY)
    clock.advance(30 * DAY)
    assert retire_unused_secrets(registry) == []


def test_of_several_processes_one_retires(place: Place, rotated: Rotated, clock: Clock) -> None:
    """The other finds it done."""
    _set_to_retire(rotated, rotated.old, DAY)
    clock.advance(2 * DAY)
    assert len(retire_unused_secrets(place.open())) == 1
    assert _retired(rotated) == []


def test_advice_needs_a_secret(rotated: Rotated) -> None:
    """What is not there has none."""
    with pytest.raises(NotFound):
        rotated.advice("sec_" + "a" * 26)
