"""The checker finds what breaks a promise, and nothing that some order of the calls explains."""

from dataclasses import replace

from tests.nodes.checker import Checker
from tests.nodes.history import Absence, Accepted, Asked, Effect, History, Operation, Outcome, Policy, Stall

TENANT, APPLICATION, SECRET, KID, TOKEN = "ten_1", "app_1", "sec_1", "key 1", "token"
STRICT, LENIENT = Policy(refuses=True, max_staleness=5.0), Policy(refuses=False, max_staleness=60.0)


def disabled(begin: float, end: float, outcome: Outcome = Outcome.DONE, subject: str = APPLICATION) -> Operation:
    """Return a call that disables."""
    action = "tenant.disabled" if subject == TENANT else "application.disabled"
    return Operation(1, action, Effect.TAKES_AND_VOIDS, subject, begin, end, outcome)


def enabled(begin: float, end: float, outcome: Outcome = Outcome.DONE) -> Operation:
    """Return a call that enables the application."""
    return Operation(2, "application.enabled", Effect.GIVES, APPLICATION, begin, end, outcome)


def issued(begin: float, end: float, token_id: str = TOKEN, kid: str = KID) -> Asked:
    """Return a request that got a token."""
    return Asked(begin, end, "node 1", TENANT, APPLICATION, SECRET, 200, token_id, kid, 7)


def refused(begin: float, end: float) -> Asked:
    """Return a request whose credentials were refused."""
    return Asked(begin, end, "node 1", TENANT, APPLICATION, SECRET, 401)


def accepted(at: float, confirmed: float = 0.0, verifier: str = "strict") -> Accepted:
    """Return a look at the token by a verifier that had heard its feed at ``confirmed``."""
    return Accepted(verifier, "token", at, confirmed, max(confirmed, at - 1))


def broken(history: History) -> list[str]:
    """Return the rules that the history breaks."""
    history.policies = {"strict": STRICT, "lenient": LENIENT}
    return [violation.rule for violation in Checker(history).violations()]


NO_TOKEN = "no token after the taking call returned"
NOT_REFUSED = "no good credentials refused"
NOT_ACCEPTED = "no verifier accepts a second later"


def test_token_for_a_request_after_the_disabling_call_returned() -> None:
    """However little later; but not for one that began before."""
    assert broken(History([disabled(1, 2)], [issued(2.001, 2.002)])) == [NO_TOKEN]
    assert broken(History([disabled(1, 2)], [issued(1.999, 30)])) == []


def test_token_after_a_call_that_nobody_was_told_the_outcome_of() -> None:
    """Nothing was promised."""
    assert broken(History([disabled(1, 2, Outcome.UNKNOWN)], [issued(3, 4)])) == []


def test_token_after_it_was_given_back() -> None:
    """From the moment on in which the giving call began, even if its caller gave up."""
    for outcome in (Outcome.DONE, Outcome.UNKNOWN):
        history = [disabled(1, 2), enabled(5, 6, outcome)]
        assert broken(History(history, [issued(5.5, 5.6)])) == []
        assert broken(History(history, [issued(4.8, 4.9)])) == [NO_TOKEN]
    assert broken(History([disabled(1, 2), enabled(5, 6, Outcome.NOT_DONE)], [issued(7, 8)])) == [NO_TOKEN]


def test_giving_call_of_unknown_outcome_that_is_known_to_have_come_before() -> None:
    """When the trail has told until when it took effect, a later taking call counts again."""
    unknown = enabled(1, 2, Outcome.UNKNOWN)
    assert broken(History([unknown, disabled(5, 6)], [issued(7, 8)])) == []
    assert broken(History([replace(unknown, takes_effect_by=3.0), disabled(5, 6)], [issued(7, 8)])) == [NO_TOKEN]


def test_tenant_and_application_must_be_on_at_one_moment() -> None:
    """Each of them was on during the request, but never both."""
    calls = [disabled(1, 2), disabled(5, 6, subject=TENANT), enabled(7, 8)]
    assert broken(History(calls, [issued(4, 9)])) == [NO_TOKEN]
    assert broken(History([disabled(1, 2), disabled(5, 8, subject=TENANT), enabled(7, 9)], [issued(4, 9)])) == []


def test_secret_is_good_from_the_begin_of_the_call_that_makes_it() -> None:
    """And no sooner."""
    made = Operation(1, "secret.created", Effect.GIVES, SECRET, 5, 6, Outcome.DONE)
    assert broken(History([made], [issued(5.5, 5.6)])) == []
    assert broken(History([made], [issued(3, 4)])) == [NO_TOKEN]


def test_key_signs_no_more_once_it_was_revoked_or_replaced() -> None:
    """For a request that began after the call returned; what the new key signs is good."""
    revoked = Operation(1, "signing_key.revoked", Effect.TAKES_AND_VOIDS, KID, 5, 6, Outcome.DONE)
    assert broken(History([revoked], [issued(6.1, 6.2)])) == [NO_TOKEN]
    replaced = Operation(1, "signing_key.rotated", Effect.REPLACES_KEY, "", 5, 6, Outcome.DONE, made="key 2")
    before = issued(1, 2, "before")
    assert broken(History([replaced], [before, issued(6.1, 6.2)])) == [NO_TOKEN]
    assert broken(History([replaced], [before, issued(6.1, 6.2, kid="key 2"), issued(5.9, 6.3)])) == []


def test_key_that_a_later_rotation_has_made_is_no_old_one() -> None:
    """Two rotations at once: either may have been the last."""
    first = Operation(1, "signing_key.rotated", Effect.REPLACES_KEY, "", 5, 8, Outcome.DONE, made="key 2")
    second = Operation(2, "signing_key.rotated", Effect.REPLACES_KEY, "", 6, 9, Outcome.DONE, made="key 3")
    for kid in ("key 2", "key 3"):
        assert broken(History([first, second], [issued(10, 11, kid=kid)])) == []


def test_good_credentials_are_not_refused() -> None:
    """Not while nothing was taken away, nor a lease after it was given back."""
    assert broken(History([], [refused(1, 2)])) == [NOT_REFUSED]
    calls = [disabled(1, 2), enabled(5, 6)]
    assert broken(History(calls, [refused(1.5, 1.6), refused(4, 5), refused(6.2, 6.3)])) == []
    assert broken(History(calls, [refused(6.3, 6.4)])) == [NOT_REFUSED]
    assert broken(History([disabled(1, 2, Outcome.UNKNOWN)], [refused(9, 10)])) == []


def test_verifier_has_a_second() -> None:
    """From when the call returned."""
    calls = [disabled(1, 2)]
    assert broken(History(calls, [issued(0, 0.5)], [accepted(2.9)])) == []
    assert broken(History(calls, [issued(0, 0.5)], [accepted(3.1)])) == [NOT_ACCEPTED]


def test_verifier_has_half_of_the_time_more_in_which_the_machine_had_too_much_to_do() -> None:
    """Where the machine tells it."""
    history = History([disabled(1, 2)], [issued(0, 0.5)], [accepted(3.4)])
    history.stalls = [Stall(1.9, 50.0), Stall(3.5, 51.0)]
    assert broken(history) == []
    history.stalls = [Stall(1.9, 50.0), Stall(3.5, 50.5)]
    assert broken(history) == [NOT_ACCEPTED]


def test_verifier_that_has_heard_later_news_has_no_second() -> None:
    """It knows already."""
    assert broken(History([disabled(1, 2)], [issued(0, 0.5)], [accepted(2.5, confirmed=2.1)])) == [NOT_ACCEPTED]


def test_token_from_during_the_call_is_void_as_well() -> None:
    """Unless something was given back meanwhile, or the call only voids what was there before."""
    late = [accepted(9)]
    assert broken(History([disabled(1, 4)], [issued(2, 3)], late)) == [NOT_ACCEPTED]
    assert broken(History([disabled(1, 4), enabled(2, 5)], [issued(2, 3)], late)) == []
    voided = Operation(1, "application.tokens_voided", Effect.VOIDS, APPLICATION, 1, 4, Outcome.DONE)
    assert broken(History([voided], [issued(2, 3)], late)) == []
    assert broken(History([voided], [issued(0, 0.5)], late)) == [NOT_ACCEPTED]


def test_token_that_was_issued_after_it_was_given_back_stays_good() -> None:
    """The one before stays void."""
    calls = [disabled(1, 2), enabled(3, 4)]
    assert broken(History(calls, [issued(5, 6)], [accepted(20)])) == []
    assert broken(History(calls, [issued(0, 0.5)], [accepted(20)])) == [NOT_ACCEPTED]


def test_revoked_token_stays_refused() -> None:
    """It alone."""
    revoked = Operation(1, "token.revoked", Effect.VOIDS, "token", 1, 2, Outcome.DONE)
    assert broken(History([revoked], [issued(0, 0.5)], [accepted(4)])) == [NOT_ACCEPTED]
    assert (
        broken(History([revoked], [issued(0, 0.5), issued(0, 0.5, "other")], [accepted(4)._replace(token_id="other")]))
        == []
    )


def test_absence_excuses_as_long_as_it_lasts() -> None:
    """Absences that overlap are one; one that begins when the verifier should have known excuses nothing."""
    calls, asked = [disabled(1, 2)], [issued(0, 0.5)]

    def with_absences(at: float, *spans: tuple[float, float]) -> list[str]:
        absences = [Absence("strict", begin, end) for begin, end in spans]
        return broken(History(calls, asked, [accepted(at)], absences))

    assert with_absences(8, (2.5, 9)) == []
    assert with_absences(8, (2.5, 5), (4, 9)) == []
    assert with_absences(8, (2.5, 5)) == [NOT_ACCEPTED]
    assert with_absences(8, (2.5, 5), (6, 9)) == [NOT_ACCEPTED]
    assert with_absences(8, (3.5, 9)) == [NOT_ACCEPTED]


def test_absence_of_another_verifier_excuses_nothing() -> None:
    """Each has its own."""
    history = History([disabled(1, 2)], [issued(0, 0.5)], [accepted(8)], [Absence("lenient", 0, 20)])
    assert broken(history) == [NOT_ACCEPTED]


def test_verifier_refuses_when_its_policy_says_so() -> None:
    """Whatever the token: its feed is stale. A lenient one goes on."""
    stale = Accepted("strict", "token", 30.0, 20.0, 20.0)
    assert broken(History([], [issued(0, 0.5)], [stale])) == [NOT_ACCEPTED]
    assert broken(History([], [issued(0, 0.5)], [stale._replace(verifier="lenient")])) == []
    assert broken(History([], [issued(0, 0.5)], [stale._replace(confirmed_after=29.0)])) == []
