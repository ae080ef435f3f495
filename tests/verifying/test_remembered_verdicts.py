"""ATTACKS D24 to D26: what a verifier remembers of a token is asked for again at every use."""

import base64
import gc
import sys
import threading
import time
from dataclasses import dataclass, field

import pytest

from sensos_auth.model.revocation import Provenance
from sensos_auth.verifying import (
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    LocalJwks,
    RevocationsUnavailable,
    VerificationKey,
    Verifier,
    parse_jwks,
)
from sensos_auth.verifying.compact_jws import CompactJws
from sensos_auth.verifying.held_keys import HeldKeys
from tests.verifying.issued import AUDIENCE, GOOD_CLAIMS, GOOD_TOKEN, ISSUER, KEY, NOW, IssuingKey, jwks_of

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class CountingKey(VerificationKey):
    """A key that counts the signatures that it verifies."""

    count = 0

    def verifies(self, jws: CompactJws) -> bool:
        """Count, and verify."""
        CountingKey.count += 1
        return super().verifies(jws)


@dataclass
class Surroundings:
    """Keys, revocations and the time, all in the test's hand."""

    now: float = NOW
    key: VerificationKey | None = None
    keys_are_there: bool = True
    heard: int = 1
    void: set[str] = field(default_factory=set)
    asked: list[Provenance] = field(default_factory=list)
    feed_is_fresh: bool = True

    def __post_init__(self) -> None:
        [key] = parse_jwks(jwks_of(KEY).encode()).values()
        self.key = CountingKey(key.kid, key.algorithm, key.public_key)
        CountingKey.count = 0

    def find(self, kid: str) -> VerificationKey | None:
        """Return the key."""
        if not self.keys_are_there:
            raise KeysUnavailable("down")
        return self.key if self.key is not None and kid == self.key.kid else None

    def generation(self) -> int:
        """Return what was heard last."""
        if not self.feed_is_fresh:
            raise RevocationsUnavailable("down")
        return self.heard

    def voids(self, token: Provenance) -> bool:
        """Tell whether one of the token's names is void."""
        self.asked.append(token)
        return not self.void.isdisjoint(map(str, token))

    def revoke(self, name: str) -> None:
        """Make what has this name void."""
        self.void.add(name)
        self.heard += 1

    def verifier(self, **settings: str) -> Verifier:
        """Return a verifier in these surroundings."""
        return Verifier(
            issuer=ISSUER,
            audience=settings.get("audience", AUDIENCE),
            keys=self,
            revocations=self,
            clock=lambda: self.now,
        )


def _refused(verifier: Verifier, token: str = GOOD_TOKEN) -> str:
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token)
    return refused.value.reason


def test_signature_is_verified_once() -> None:
    """The same token again is the same caller, without any cryptography."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    first = verifier.verify(GOOD_TOKEN)
    assert all(verifier.verify(GOOD_TOKEN) is first for _ in range(100))
    assert CountingKey.count == 1
    assert len(surroundings.asked) == 1


def test_d24_remembered_token_expires() -> None:
    """A token that was good a moment ago is refused at its expiry, to the fraction of a second."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.now = GOOD_CLAIMS.exp - 0.001
    assert verifier.verify(GOOD_TOKEN).token_id
    for late in (0, 0.001, 3600):
        surroundings.now = GOOD_CLAIMS.exp + late
        assert _refused(verifier) == "expired"


def test_d24_remembered_token_is_not_good_before_it_begins() -> None:
    """When the clock is set back behind the token's beginning, it is refused as it would be the first time."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.now = GOOD_CLAIMS.iat - 10
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.now = GOOD_CLAIMS.iat - 11
    assert _refused(verifier) == "not valid yet"


def test_d24_c18_remembered_token_ends_with_its_key() -> None:
    """When the issuer has taken the key away, what it verified is refused."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.key = None
    assert _refused(verifier) == "unknown key ID"


def test_d24_another_key_under_the_same_id_verifies_anew() -> None:
    """A verdict rests on one key, not on its ID."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    [other] = parse_jwks(jwks_of(IssuingKey()).encode()).values()
    surroundings.key = VerificationKey(KEY.pair.kid, "ES256", other.public_key)
    assert _refused(verifier) == "wrong signature"


def test_refresh_with_the_same_key_keeps_the_verdicts() -> None:
    """A JWKS that comes again, in another order and with a further key, makes nobody verify anew."""
    held = HeldKeys(longest_outage=60, now=0)
    held.begin(0)
    held.succeed(parse_jwks(jwks_of(KEY).encode()), 300)

    class Keys:
        def find(self, kid: str) -> VerificationKey | None:
            return held.find(kid, 1)

    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=Keys(), clock=lambda: NOW)
    first = verifier.verify(GOOD_TOKEN)
    held.succeed(parse_jwks(jwks_of(IssuingKey(), KEY).encode()), 300)
    assert verifier.verify(GOOD_TOKEN) is first
    held.succeed(parse_jwks(jwks_of(IssuingKey()).encode()), 300)
    assert _refused(verifier) == "unknown key ID"


def test_z70_remembered_token_is_neither_good_nor_bad_without_keys() -> None:
    """When the longest outage is over, a remembered verdict does not stand in for the keys."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.keys_are_there = False
    with pytest.raises(KeysUnavailable):
        verifier.verify(GOOD_TOKEN)
    surroundings.keys_are_there = True
    assert verifier.verify(GOOD_TOKEN).token_id


@pytest.mark.parametrize("name", ["jti", "tenant_id", "client_id", "credential_id", "kid"])
@pytest.mark.parametrize("remembered", [True, False])
def test_d24_e27_revoked_token_is_refused(name: str, remembered: bool) -> None:  # noqa: FBT001 - a parameter
    """Whatever of it was revoked, a token is refused from then on, whether it was seen before or not."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    if remembered:
        assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.revoke(KEY.pair.kid if name == "kid" else str(verifier_claims()[name]))
    for _ in range(3):
        assert _refused(verifier) == "revoked"


def verifier_claims() -> dict[str, object]:
    """Return the claims of the good token, as a verifier reads them."""
    return dict(Surroundings().verifier().verify(GOOD_TOKEN).claims)


def test_provenance_is_what_the_token_says() -> None:
    """Revocations are asked about the token's own names and version, at first and again."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    verifier.verify(GOOD_TOKEN)
    surroundings.heard += 1
    verifier.verify(GOOD_TOKEN)
    expected = Provenance(
        kid=KEY.pair.kid,
        token_id=GOOD_CLAIMS.jti,
        tenant_id=GOOD_CLAIMS.tenant_id,
        application_id=GOOD_CLAIMS.client_id,
        credential_id=GOOD_CLAIMS.credential_id,
        version=GOOD_CLAIMS.rv,
    )
    assert surroundings.asked == [expected, expected]


def test_revocations_are_asked_once_for_each_generation() -> None:
    """News of other tokens makes a verifier ask once more, and verify no signature."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    for _ in range(3):
        surroundings.revoke("somebody else")
        for _ in range(10):
            assert verifier.verify(GOOD_TOKEN).token_id
    assert len(surroundings.asked) == 3
    assert CountingKey.count == 1


def test_revocation_in_the_middle_of_a_check_is_not_missed() -> None:
    """What is revoked between the question for the generation and the one for the token counts from the next use."""

    class Late(Surroundings):
        def voids(self, token: Provenance) -> bool:
            answer = super().voids(token)
            if len(self.asked) == 1:
                self.revoke(GOOD_CLAIMS.jti)
            return answer

    verifier = Late().verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    assert _refused(verifier) == "revoked"


def test_revocation_in_the_middle_of_a_later_check_is_not_missed() -> None:
    """The same when a remembered token is asked about again."""

    class Late(Surroundings):
        def voids(self, token: Provenance) -> bool:
            answer = super().voids(token)
            if len(self.asked) == 2:
                self.revoke(GOOD_CLAIMS.jti)
            return answer

    surroundings = Late()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.revoke("somebody else")
    assert verifier.verify(GOOD_TOKEN).token_id
    assert _refused(verifier) == "revoked"


def test_old_news_are_neither_good_nor_bad() -> None:
    """A verifier that shall refuse without news says so for good tokens, remembered or not; bad ones are still bad."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    verifier.verify(GOOD_TOKEN)
    surroundings.feed_is_fresh = False
    for token in (GOOD_TOKEN, KEY.token(jti="other")):
        with pytest.raises(RevocationsUnavailable):
            verifier.verify(token)
    assert _refused(verifier, KEY.token(aud="other")) == "wrong audience"
    surroundings.feed_is_fresh = True
    assert verifier.verify(GOOD_TOKEN).token_id


def test_empty_revocations_are_revocations() -> None:
    """An object of revocations that counts as false, because it holds none yet, is asked all the same."""

    class Listed(Surroundings):
        def __len__(self) -> int:
            return len(self.void)

    surroundings = Listed()
    verifier = surroundings.verifier()
    assert verifier.verify(GOOD_TOKEN).token_id
    surroundings.revoke(GOOD_CLAIMS.jti)
    assert _refused(verifier) == "revoked"


def test_d25_verdict_is_good_for_one_verifier() -> None:
    """A verifier for another audience refuses what this one accepted, with the same keys and in the same process."""
    surroundings = Surroundings()
    assert surroundings.verifier().verify(GOOD_TOKEN).token_id
    assert _refused(surroundings.verifier(audience="other")) == "wrong audience"


def test_d26_bad_tokens_are_not_remembered() -> None:
    """A flood of bad tokens leaves nothing behind, and the good one's verdict stays."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    verifier.verify(GOOD_TOKEN)
    head = GOOD_TOKEN.rpartition(".")[0]
    for n in range(1000):
        _refused(verifier, f"{head}.{base64.urlsafe_b64encode(n.to_bytes(66)).decode()}")
    _refused(verifier, KEY.token(aud="other"))
    assert len(verifier._verdicts._young) + len(verifier._verdicts._old) == 1


@pytest.mark.parametrize("scope", ["admin", "devices:rea", "devices:read admin"])
def test_e23_scope_is_asked_of_remembered_tokens(scope: str) -> None:
    """Each use is held against the scopes that it needs, not those of the use before."""
    verifier = Surroundings().verifier()
    for _ in range(2):
        assert verifier.verify(GOOD_TOKEN, scope="devices:read").token_id
        with pytest.raises(InsufficientScope) as refused:
            verifier.verify(GOOD_TOKEN, scope=f" {scope}  {scope} ")
        assert refused.value.scope == scope


def test_d09_malleated_signature_is_a_token_of_its_own() -> None:
    """(r, n-s) is a good signature too: it is verified by itself, and revoked with the token ID."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    head, _, signature = GOOD_TOKEN.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = P256_ORDER - int.from_bytes(raw[32:])
    other = f"{head}.{base64.urlsafe_b64encode(raw[:32] + s.to_bytes(32)).rstrip(b'=').decode()}"
    assert other != GOOD_TOKEN
    assert verifier.verify(other) == verifier.verify(GOOD_TOKEN)
    assert CountingKey.count == 2
    surroundings.revoke(GOOD_CLAIMS.jti)
    assert _refused(verifier, other) == _refused(verifier) == "revoked"


@pytest.mark.parametrize(
    "token",
    ["\ud800", "a" * 8193, "", "?", "ä.ö.ü", GOOD_TOKEN + "\udfff"],
    ids=["lone surrogate", "too long", "empty", "question mark", "not ASCII", "good and a lone surrogate"],
)
def test_d21_d22_no_text_breaks_the_digest(token: str) -> None:
    """Lone surrogates, endless texts and no text at all are invalid tokens."""
    verifier = Surroundings().verifier()
    verifier.verify(GOOD_TOKEN)
    _refused(verifier, token)


def test_memory_of_verdicts_holds_no_token() -> None:
    """Neither the token nor its signature can be reached from what a verifier remembers."""
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=LocalJwks(jwks_of(KEY)), clock=lambda: NOW)
    token = KEY.token(jti="one-that-is-nowhere-else")
    signature = token.rpartition(".")[2]
    verifier.verify(token)
    seen: set[int] = set()
    pending: list[object] = [verifier._verdicts]
    while pending:
        thing = pending.pop()
        if id(thing) in seen or isinstance(thing, type) or id(thing) == id(sys.modules):
            continue
        seen.add(id(thing))
        assert not isinstance(thing, str) or signature not in thing
        if isinstance(thing, bytes):
            assert signature.encode() not in thing
            assert base64.urlsafe_b64decode(signature + "==") not in thing
        pending += [other for other in gc.get_referents(thing) if not callable(other)]
    assert len(seen) > 10


def test_threads_share_the_verdicts() -> None:
    """Eight threads with 300 tokens in a memory for 100 get the right callers while revocations come in."""
    surroundings = Surroundings()
    verifier = Verifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        keys=surroundings,
        revocations=surroundings,
        remembered_verdicts=100,
        clock=lambda: NOW,
    )
    tokens = {f"id-{n}": KEY.token(jti=f"id-{n}") for n in range(300)}
    wrong: list[str] = []

    def use(start: int) -> None:
        names = list(tokens)
        for n in range(600):
            name = names[(start * 37 + n // 2) % 300]
            was_void = name in surroundings.void
            try:
                if verifier.verify(tokens[name]).token_id != name or was_void:
                    wrong.append(name)
            except InvalidToken:
                if name not in surroundings.void:
                    wrong.append(name)
            if n % 100 == 50:
                surroundings.revoke(name)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_claims_are_read_from_what_was_signed() -> None:
    """A remembered caller's claims are all there, equal each time, and nobody can change them for the next one."""
    verifier = Surroundings().verifier()
    token = KEY.token(region={"name": "eu"})
    claims = verifier.verify(token).claims
    region = claims["region"]
    assert isinstance(region, dict)
    region["name"] = "us"
    assert verifier.verify(token).claims["region"] == {"name": "eu"}


@pytest.mark.slow
def test_remembered_check_is_many_times_faster() -> None:
    """By a factor that no machine's mood explains; the benchmark holds it to much more."""
    surroundings = Surroundings()
    verifier = surroundings.verifier()
    tokens = [KEY.token(jti=f"id-{n}") for n in range(200)]

    def seconds() -> float:
        started = time.process_time()
        for token in tokens:
            verifier.verify(token, scope="devices:read")
        return time.process_time() - started

    assert seconds() > 10 * min(seconds() for _ in range(5))
