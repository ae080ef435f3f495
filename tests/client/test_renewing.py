"""When the token is renewed, when callers wait, and what an outage costs them: hours of it, by a simulated clock."""

import time
from collections.abc import Callable

import pytest

from sensos_auth.client import ConfigurationError, Credentials, CredentialsRefused, TokenServiceUnavailable
from sensos_auth.client.flight import Waiting
from sensos_auth.client.held_token import HeldToken
from sensos_auth.client.sending import TokenRequest
from sensos_auth.client.token_answer import Answer
from tests.client.simulated import SECRET, World, token_answer


def test_a_fresh_token_is_handed_out_again_and_again() -> None:
    """One request, however often it is asked for."""
    world = World()
    source = world.source()
    assert {source.token() for _ in range(100)} == {"token-1"}
    assert len(world.asked_at) == 1


def test_a_caller_who_comes_late_finds_the_token_behind_the_lock() -> None:
    """It saw none, somebody renewed it, then it got the lock: nothing is asked for again."""
    world = World()
    source = world.source()
    source.token()
    assert source.shared.get() is source.shared.held
    assert len(world.asked_at) == 1


def test_a_stale_token_serves_while_the_next_one_is_fetched() -> None:
    """From three quarters of its lifetime on, the caller gets the old one, and later callers the next."""
    world = World()
    source = world.source()
    source.token()
    world.now += 0.75 * 36_000 - 1
    assert (source.token(), len(world.asked_at)) == ("token-1", 1)
    world.now += 1
    assert (source.token(), len(world.asked_at)) == ("token-1", 2)
    assert (source.token(), len(world.asked_at)) == ("token-2", 2)


@pytest.mark.parametrize(("lifetime", "reserve"), [(36_000, 300), (600, 60), (3, 0.3)])
def test_in_the_last_part_callers_wait_for_the_next_token(lifetime: int, reserve: float) -> None:
    """The last tenth, 300 s at most, is kept in reserve."""
    world = World(lifetime=lifetime)
    source = world.source()
    source.token()
    world.now += lifetime - reserve + 0.01
    assert source.token() == "token-2"


def test_half_of_the_round_trip_is_taken_off() -> None:
    """The token was issued somewhere within the round trip: its life is counted from the middle."""
    world = World(lifetime=100, round_trip=8.0)
    source = world.source()
    source.token()
    assert source.shared.held.expires_at == pytest.approx(1000.0 + 4.0 + 99)


@pytest.mark.parametrize(("lifetime", "served"), [(1, 2 / 3), (3, 2.0), (4, 3.0), (36_000, 35_999.0)])
def test_a_token_is_not_shown_in_the_second_that_its_issuer_may_have_cut_off(lifetime: int, served: float) -> None:
    """``exp`` is in whole seconds: one that was issued at the end of a second ends almost a second early."""
    world = World(lifetime=lifetime)
    source = world.source()
    source.token()
    assert source.shared.held.expires_at - world.now == pytest.approx(served)


def test_lifetimes_above_a_day_are_not_believed() -> None:
    """No token outlives 86 400 s, whatever the answer says."""
    world = World(lifetime=10**12)
    source = world.source()
    source.token()
    assert source.shared.held.expires_at - world.now == 86_399


def test_a_machine_that_slept_notices() -> None:
    """The clock went on meanwhile: the token has ended, and is not handed out."""
    world = World()
    source = world.source()
    source.token()
    world.now += 36_001
    assert source.token() == "token-2"


def test_thirty_minutes_of_outage_in_the_middle_of_a_life_are_not_noticed() -> None:
    """Every caller gets a token at once, nobody waits, and the service is not hammered meanwhile."""
    world = World(lifetime=3600, chance=0.5)
    source = world.source()
    source.token()
    world.now = source.shared.held.stale_at
    began_at = world.now
    world.fail()
    while world.now < began_at + 1800:
        before = world.now
        assert source.token() == "token-1"
        assert world.now == before
        world.now += 1
    assert 30 <= len(world.asked_at) - 1 <= 120
    world.recover()
    world.now += 60
    source.token()
    assert source.token().startswith("token-")
    assert source.token() != "token-1"


def test_an_outage_up_to_the_last_second_is_not_noticed() -> None:
    """Also in the last tenth the old token serves, without waiting; only when it has ended, callers are told."""
    world = World(lifetime=3600, chance=1.0)
    source = world.source()
    source.token()
    ends_at = source.shared.held.expires_at
    world.fail()
    while world.now < ends_at - 1:
        assert source.token() == "token-1"
        world.now += 1
    assert not world.slept
    world.now = ends_at
    with pytest.raises(TokenServiceUnavailable, match="status 503") as caught:
        source.token()
    assert caught.value.since > 3000
    assert caught.value.last == "status 503"


def test_in_the_last_part_a_service_that_hangs_costs_a_moment_once() -> None:
    """The caller gets the old token after a moment at most, the next callers get it at once."""
    world = World(lifetime=4)
    source = world.source()
    source.token()
    hanging: list[Callable[[], None]] = []
    object.__setattr__(source.shared._surroundings, "start", hanging.append)
    world.now = source.shared.held.expires_at - 0.25
    began = time.monotonic()
    assert source.token() == "token-1"
    assert 0.2 < time.monotonic() - began < 1.5
    source.shared._flight.began_at -= 2  # type: ignore[union-attr] # as if the moment were over for the next
    began = time.monotonic()
    assert source.token() == "token-1"
    assert time.monotonic() - began < 0.1
    (renewal,) = hanging
    renewal()
    assert source.token() == "token-2"


def test_in_a_known_outage_nobody_waits_even_a_moment() -> None:
    """In the last part as well: the attempt goes on beside its caller."""
    world = World(lifetime=1000, chance=0.0)
    source = world.source()
    source.token()
    world.now = source.shared.held.stale_at
    world.fail()
    source.token()
    hanging: list[Callable[[], None]] = []
    object.__setattr__(source.shared._surroundings, "start", hanging.append)
    world.now = source.shared.held.invalid_at + 1
    began = time.monotonic()
    assert source.token() == "token-1"
    assert time.monotonic() - began < 0.5
    assert len(hanging) == 1


def test_without_a_token_a_service_that_hangs_is_waited_for_with_patience() -> None:
    """A second more than a renewal may take, then the caller is told; the renewal is not started twice."""
    world = World()
    source = world.source(patience=0.1)
    hanging: list[Callable[[], None]] = []
    object.__setattr__(source.shared._surroundings, "start", hanging.append)
    with pytest.raises(TokenServiceUnavailable, match=r"no answer within 0.1 s"):
        source.token()
    assert len(hanging) == 1


def test_a_renewal_that_is_stuck_is_left_behind() -> None:
    """A vault that never returns must not keep the process from its next token for ever.

    It is left later and later, because each time costs a thread. What it brings in the end is taken, if it is newer.
    """
    world = World(lifetime=3600)
    source = world.source(patience=30.0)
    source.token()
    stuck: list[Callable[[], None]] = []
    object.__setattr__(source.shared._surroundings, "start", stuck.append)
    world.now = source.shared.held.stale_at
    began_after: list[int] = []
    for second in range(300):
        assert source.token() == "token-1"
        if len(stuck) > len(began_after):
            began_after.append(second)
        world.now += 1
    assert began_after == [0, 41, 92, 163, 274]
    stuck[1]()
    assert source.token() == "token-2"
    world.now -= 5  # as if this one had been answered before, and only its thread came late
    stuck[0]()
    world.now += 5
    assert source.token() == "token-2"
    assert len(world.asked_at) == 3


def test_an_interrupted_caller_does_not_keep_the_others_from_a_token() -> None:
    """Ctrl-C, or a task's time limit, in the instant before the renewal's thread begins."""
    world = World()
    source = world.source(patience=0.1)

    def interrupted(_: Callable[[], None]) -> None:
        raise KeyboardInterrupt

    object.__setattr__(source.shared._surroundings, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.token()
    object.__setattr__(source.shared._surroundings, "start", lambda work: work())
    world.now += 10.2
    assert source.token() == "token-1"


def test_no_thread_to_be_had() -> None:
    """At the end of a program there are no new threads: the old token serves, and without one it is said."""

    def refuse(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    world = World()
    source = world.source()
    object.__setattr__(source.shared._surroundings, "start", refuse)
    with pytest.raises(TokenServiceUnavailable, match="no thread could be started"):
        source.token()


def test_a_caller_without_a_token_turns_an_attempt_into_many() -> None:
    """It joins the renewal that nobody waited for, which goes on until there is a token."""
    world = World(lifetime=100, chance=0.5)
    source = world.source()
    source.token()
    world.now = source.shared.held.stale_at
    replies = iter([Answer(503, b"{}"), token_answer(2, 100)])
    waiting: list[Waiting] = []

    def first_answer(_: TokenRequest) -> Answer:
        if not waiting:  # while the attempt is on its way, the token ends, and a caller comes
            world.now = source.shared.held.expires_at
            step = source.shared._look()
            assert isinstance(step, Waiting)
            waiting.append(step)
        return next(replies)

    world.reply = first_answer
    assert source.token() == "token-1"
    outcome = waiting[0].flight.outcome.result(0)
    assert isinstance(outcome, HeldToken)
    assert outcome.token == "token-2"


def test_a_cold_start_is_repeated_within_the_patience() -> None:
    """Exponential backoff with full jitter; what the caller gets in the end is a token or an error, in time."""
    world = World(chance=1.0)
    world.fail()
    source = world.source(patience=30.0)
    with pytest.raises(TokenServiceUnavailable, match="status 503"):
        source.token()
    assert world.slept == [1.0, 2.0, 4.0, 8.0, 10.0]
    assert world.now <= 1030
    world.recover()
    assert source.token().startswith("token-")


def test_full_jitter_draws_from_zero() -> None:
    """Half the chance, half the pause."""
    world = World(chance=0.5)
    world.fail()
    with pytest.raises(TokenServiceUnavailable):
        world.source(patience=9.0).token()
    assert world.slept == [0.5, 1.0, 2.0, 4.0]


def test_retry_after_is_waited_for() -> None:
    """Not sooner than the service asked for, also by the next caller."""
    world = World()
    world.fail(429, retry_after="7")
    source = world.source(patience=10.0)
    answers = iter([Answer(429, b"{}", "7"), token_answer(2, 100)])
    world.reply = lambda _: next(answers)
    assert source.token() == "token-2"
    assert world.asked_at == [1000.0, 1007.0]


def test_retry_after_beyond_the_patience_is_said_at_once() -> None:
    """Nobody waits for what can't come in time, and nobody asks before it may."""
    world = World()
    world.fail(503, retry_after="120")
    source = world.source(patience=30.0)
    for _ in range(3):
        with pytest.raises(TokenServiceUnavailable, match=r"asked to wait 1[12]\d s more"):
            source.token()
    assert len(world.asked_at) == 1
    assert world.slept == []
    world.now += 120
    world.recover()
    assert source.token() == "token-2"


def test_a_pause_that_began_while_the_token_served_is_waited_for() -> None:
    """The service asked to wait just before the token ended: the next caller has the patience for that."""
    world = World(lifetime=100)
    source = world.source(patience=10.0)
    source.token()
    world.now = source.shared.held.expires_at - 0.1
    world.fail(503, retry_after="5")
    assert source.token() == "token-1"
    world.now += 0.2
    world.recover()
    assert source.token() == "token-3"
    assert world.asked_at[-1] == pytest.approx(1000 + 99 - 0.1 + 5)


def test_a_caller_who_joins_too_early_a_renewal_waits_for_its_time() -> None:
    """It came in the instant in which a renewal that nobody waited for found that it is too early."""
    world = World(lifetime=101)
    source = world.source()
    source.token()
    world.now = source.shared.held.stale_at
    world.fail(503, retry_after="28")
    source.token()
    world.now = source.shared.held.expires_at - 1
    world.recover()
    flights: list[Callable[[], None]] = []
    object.__setattr__(source.shared._surroundings, "start", flights.append)
    assert source.shared._force(source.shared.held) is not None  # the API refused it
    waiting: list[Waiting] = []

    def joins() -> float:
        if not waiting:
            world.now = source.shared.held.expires_at
            step = source.shared._look()
            assert isinstance(step, Waiting)
            waiting.append(step)
        return 0.0

    object.__setattr__(source.shared._surroundings, "random", joins)
    flights[0]()
    outcome = waiting[0].flight.outcome.result(0)
    assert isinstance(outcome, HeldToken)
    assert outcome.token == "token-3"
    assert world.asked_at[-1] == 1075 + 28


def test_retry_after_as_a_date_and_a_huge_one() -> None:
    """A date is understood as well; more than 300 s are not believed."""
    world = World()
    world.fail(503, retry_after="Wed, 25 Nov 2026 00:16:45 GMT")
    source = world.source(patience=1.0)
    with pytest.raises(TokenServiceUnavailable, match="asked to wait 5 s"):
        source.token()
    world.now += 5
    world.fail(503, retry_after="999999999999")
    with pytest.raises(TokenServiceUnavailable, match="asked to wait 300 s"):
        source.token()


def test_a_refusal_is_final_and_not_repeated() -> None:
    """One request; the next callers hear the same for half a minute, then it is tried again."""
    world = World()
    world.fail(401)
    source = world.source()
    for _ in range(10):
        with pytest.raises(CredentialsRefused):
            source.token()
    assert (len(world.asked_at), world.slept) == (1, [])
    world.now += 31
    world.recover()
    assert source.token() == "token-2"


def test_a_refusal_costs_nothing_while_the_old_token_serves() -> None:
    """A revoked secret ends nobody's request before the token ends."""
    world = World(lifetime=1000)
    source = world.source()
    source.token()
    world.fail(401)
    world.now += 800
    for _ in range(100):
        assert source.token() == "token-1"
        world.now += 1
    assert len(world.asked_at) <= 6


def test_a_rotated_secret_is_read_again() -> None:
    """After a 401 the secret is asked for once more, and tried if it has changed: no caller notices."""
    secrets = iter(["old", "new", "new"])
    world = World()
    world.reply = lambda request: token_answer(2, 100) if request.secret == "new" else Answer(401, b"{}")
    source = world.source(Credentials("ten_a", "app_a", lambda: next(secrets)))
    assert source.token() == "token-2"
    assert [request.secret for request in world.requests] == ["old", "new"]


def test_a_new_secret_is_tried_although_the_old_one_was_refused() -> None:
    """What was said of one secret says nothing of another."""
    current = ["old"]
    world = World()
    world.reply = lambda request: token_answer(2, 100) if request.secret == "new" else Answer(401, b"{}")
    source = world.source(Credentials("ten_a", "app_a", lambda: current[0]))
    with pytest.raises(CredentialsRefused):
        source.token()
    current[0] = "new"
    world.now += 1
    assert source.token() == "token-2"


def test_many_callers_with_a_refused_secret_cost_the_vault_little(caplog: pytest.LogCaptureFixture) -> None:
    """They are told the same for a second, so a busy application asks its vault, and writes its log, once a second."""
    looks: list[float] = []
    world = World()
    world.fail(401)

    def vault() -> str:
        looks.append(world.now)
        return SECRET

    source = world.source(Credentials("ten_a", "app_a", vault))
    for _ in range(1000):
        with pytest.raises(CredentialsRefused, match="look at the application secret"):
            source.token()
        world.now += 0.01
    assert len(looks) <= 2 + 10
    assert len(caplog.records) <= 10
    assert len(world.asked_at) == 1


def test_a_vault_that_fails_is_an_outage() -> None:
    """It is asked again; what its error says may hold anything, so only its kind is told."""
    world = World(chance=1.0)

    def vault() -> str:
        raise OSError("the vault's own password is hunter2")

    source = world.source(Credentials("ten_a", "app_a", vault), patience=5.0)
    with pytest.raises(TokenServiceUnavailable, match=r"the secret could not be obtained \(OSError\)") as caught:
        source.token()
    assert "hunter2" not in str(caught.value)
    assert len(world.slept) == 2


def test_a_secret_that_is_none_is_a_setting() -> None:
    """Empty, or more than a line: said at once, without a request."""
    world = World()
    for secret in ("", "two\nlines", "sensos_sk_ä"):
        with pytest.raises(ConfigurationError, match="the application secret is empty, or not a line"):
            world.source(Credentials("ten_a", "app_a", lambda secret=secret: secret)).token()  # type: ignore[misc]
    assert world.asked_at == []


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 415, 422])
def test_other_refusals_are_settings(status: int) -> None:
    """They don't go away by repeating, and the text names the variables to look at."""
    world = World()
    world.fail(status)
    with pytest.raises(ConfigurationError, match=f"status {status}.*SENSOS_BASE_URL"):
        world.source().token()
    assert len(world.asked_at) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_m01_redirects_are_not_followed(status: int) -> None:
    """The secret goes nowhere but to the configured address."""
    world = World()
    world.fail(status)
    with pytest.raises(ConfigurationError, match="redirect"):
        world.source().token()
    assert len(world.asked_at) == 1


def test_a_token_that_the_api_refused_is_replaced_once() -> None:
    """However many callers were refused it; the others get the successor."""
    world = World()
    source = world.source()
    refused = source.token()
    assert [source.renewed(refused) for _ in range(5)] == ["token-2"] * 5
    assert source.token() == "token-2"
    assert len(world.asked_at) == 2


def test_a_token_that_was_replaced_meanwhile_is_not_replaced_again() -> None:
    """Many requests were under way with the refused one; each comes back with its 401 when it does."""
    world = World()
    source = world.source()
    source.token()
    refused = source.shared.held
    successor = source.shared.replace(refused)
    assert successor is source.shared.held is not refused
    assert source.shared.replace(refused) is successor
    assert len(world.asked_at) == 2


def test_m09_an_api_that_refuses_everything_does_not_double_the_requests() -> None:
    """Five renewals at once, then one in 30 seconds."""
    world = World()
    source = world.source()
    for _ in range(100):
        source.renewed(source.token())
        world.now += 1
    assert len(world.asked_at) <= 1 + 5 + 100 // 30 + 1


def test_a_refused_token_is_kept_when_there_is_no_other() -> None:
    """One node of the API that errs must not take the token away from all requests."""
    world = World()
    source = world.source()
    refused = source.token()
    world.fail()
    assert source.renewed(refused) is None
    assert source.token() == refused


def test_the_spread_is_early_only_and_wide_after_a_common_start() -> None:
    """A token that somebody waited for is renewed anywhere up to three quarters of its life; then always late in it."""
    stale: list[tuple[float, float]] = []
    for chance in (0.0, 0.5, 1.0):
        world = World(lifetime=1001, chance=chance)
        source = world.source()
        source.token()
        first = source.shared.held
        world.now = first.stale_at
        source.token()
        second = source.shared.held
        stale.append((first.stale_at - 1000.0, second.stale_at - second.issued_at))
    assert [[round(at, 6) for at in pair] for pair in stale] == [[750, 750], [425, 712.5], [100, 675]]


def test_a_defect_ends_the_renewal_for_all() -> None:
    """Nobody waits for a renewal that broke: the next caller begins another one."""
    world = World()
    world.fail()

    def broken(_: float) -> None:
        raise ZeroDivisionError

    source = world.source()
    object.__setattr__(source.shared._surroundings, "sleep", broken)
    with pytest.raises(ZeroDivisionError):
        source.token()
    world.recover()
    assert source.token() == "token-2"


def test_no_secret_is_in_a_request_that_is_shown() -> None:
    """What is sent is not what is seen."""
    world = World()
    world.source().token()
    assert SECRET not in repr(world.requests)
    assert SECRET.encode() in world.requests[0].body()
