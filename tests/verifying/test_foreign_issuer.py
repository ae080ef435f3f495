"""Tokens of issuers that are not ours: ATTACKS C, E and F held against profiles of them."""

import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from sensos_auth.issuing.minting import base64url
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.revocation import Provenance
from sensos_auth.verifying import Caller, ForeignIssuer, InvalidToken, LocalJwks, Verifier
from tests.verifying.foreign import AUDIENCE, CLIENT, ISSUER, NOW, ForeignKey, claims, jwks_of

KEYS = {
    algorithm: ForeignKey(algorithm)
    for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
}
KEY = KEYS["RS256"]
UNNAMED = ForeignKey("RS256", kid="unnamed", named=False)
RFC_9068 = ForeignIssuer(algorithms={"RS256"})


def _verify(
    token: str,
    profile: ForeignIssuer = RFC_9068,
    *keys: ForeignKey,
    now: float = NOW,
    **settings: Any,  # noqa: ANN401
) -> Caller:
    jwks = LocalJwks(jwks_of(*(keys or (KEY,))), profile=profile)
    whole = {"issuer": ISSUER, "audience": AUDIENCE} | settings
    return Verifier(keys=jwks, profile=profile, clock=lambda: now, **whole).verify(token)


def _refused(token: str, profile: ForeignIssuer = RFC_9068, *keys: ForeignKey, **settings: Any) -> str:  # noqa: ANN401
    with pytest.raises(InvalidToken) as refused:
        _verify(token, profile, *keys, **settings)
    return refused.value.reason


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_algorithm_verifies(algorithm: str) -> None:
    """A token of RFC 9068 is a caller, with every algorithm that the profile can name; the issuer is the tenant."""
    key = KEYS[algorithm]
    caller = _verify(key.sign({}, claims()), ForeignIssuer(algorithms={algorithm}), key)
    assert caller == Caller(ISSUER, CLIENT, frozenset({"read:devices"}), "73WakrfVbNJBaAmhQtEeDv", NOW + 3600)
    assert caller.claims["scope"] == "read:devices"


@pytest.mark.parametrize("algorithm", KEYS)
def test_c05_c09_algorithm_must_be_allowed(algorithm: str) -> None:
    """A key for an algorithm that the profile does not name is not there at all."""
    others = ForeignIssuer(algorithms=set(KEYS) - {algorithm})
    other = ForeignKey("ES256", kid="other") if algorithm != "ES256" else ForeignKey("ES384", kid="other")
    assert _refused(KEYS[algorithm].sign({}, claims()), others, KEYS[algorithm], other) == "unknown key ID"


@pytest.mark.parametrize(
    ("named", "used"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("RS512", "RS256")]
)
def test_c04_c11_key_is_bound_to_the_algorithm_that_it_names(named: str, used: str) -> None:
    """A signature by the same RSA key with another allowed algorithm is refused: the token does not choose."""
    key = KEYS[named]
    assert _refused(key.sign({}, claims(), used), ForeignIssuer(algorithms=set(KEYS)), key) == "wrong signature"


def test_c04_key_without_algorithm_is_for_the_only_one_that_fits() -> None:
    """Keys as Entra publishes them verify with the one algorithm of the profile that fits, and with no other."""
    profile = ForeignIssuer(algorithms={"RS256", "ES256"})
    assert _verify(UNNAMED.sign({}, claims()), profile, UNNAMED).application_id == CLIENT
    for used in ("RS512", "PS256"):
        assert _refused(UNNAMED.sign({}, claims(), used), profile, UNNAMED) == "wrong signature"


def test_c11_key_without_algorithm_is_unused_where_several_fit() -> None:
    """Where the profile leaves a choice, the key is not used, so that a token never chooses."""
    profile = ForeignIssuer(algorithms={"RS256", "PS256"})
    assert _refused(UNNAMED.sign({}, claims()), profile, UNNAMED, KEY) == "unknown key ID"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS384", "HS512", "ES256K", "rs256", "RS256 ", None, 1])
def test_c01_to_c09_other_algorithms_are_refused(algorithm: object) -> None:
    """What the header says instead of the key's algorithm is refused, though the key itself made the signature."""
    assert _refused(KEY.sign({"alg": algorithm}, claims(), "RS256")) in {
        "wrong signature",
        "the header names no algorithm",
    }


def _pem(key: ForeignKey) -> bytes:
    assert isinstance(key.pair, RSAKey)
    return key.pair.as_pem(private=False)


def test_c05_public_key_is_no_shared_key() -> None:
    """HS256 over the public key's PEM or JWK text, with every algorithm allowed, is refused."""
    for secret in (_pem(KEY), json.dumps(KEY.jwk).encode()):
        header = {"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid}
        message = b".".join(base64url(json.dumps(part).encode()) for part in (header, claims()))
        forged = message + b"." + base64url(hmac.digest(secret, message, "sha256"))
        assert _refused(forged.decode(), ForeignIssuer(algorithms=set(KEYS)), KEY) == "wrong signature"


@pytest.mark.parametrize(
    "typ", [..., "JWT", "jwt", "id_token", "dpop+jwt", "logout+jwt", "", "at+jwt ", "ẗ", "aT+jwt\0"]
)
def test_c24_type_is_strict_unless_told_otherwise(typ: object) -> None:
    """Without more said, only at+jwt is an access token."""
    assert _refused(KEY.sign({"typ": typ}, claims())) == "not typed as an access token"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT"])
def test_c24_media_type_has_no_case(typ: str) -> None:
    """RFC 7515 section 4.1.9: upper and lower case, with and without application/."""
    assert _verify(KEY.sign({"typ": typ}, claims())).application_id == CLIENT


def test_c24_plain_type_must_be_named() -> None:
    """A profile that names JWT accepts it, and then no longer at+jwt unless it names both."""
    plain = ForeignIssuer(algorithms={"RS256"}, token_types={"jwt"})
    assert _verify(KEY.sign({"typ": "JWT"}, claims()), plain).application_id == CLIENT
    assert _refused(KEY.sign({}, claims()), plain) == "not typed as an access token"
    assert _refused(KEY.sign({"typ": ...}, claims()), plain) == "not typed as an access token"


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip"])
def test_c12_to_c31_headers_that_lead_astray_are_refused(member: str) -> None:
    """No profile lifts what is refused of every header."""
    head = {member: None}
    assert _refused(KEY.sign(head, claims())) == "the header has a member that is refused"


@pytest.mark.parametrize("kid", ["a/b+c=", "../../etc/passwd", "k" * 256, "{} 'x'".replace(" ", "")])
def test_c15_c16_key_id_is_only_looked_up(kid: str) -> None:
    """Key IDs in any printable ASCII are found in the set and mean nothing else."""
    key = ForeignKey("ES256", kid=kid)
    assert _verify(key.sign({}, claims()), ForeignIssuer(algorithms={"ES256"}), key).application_id == CLIENT


@pytest.mark.parametrize("kid", [..., None, 1, [], "", "a b", "ä", "k" * 257])
def test_c17_key_id_must_be_one(kid: object) -> None:
    """A key ID that is missing, no text, or not printable is refused before it is looked up."""
    assert _refused(KEY.sign({"kid": kid}, claims())) == "no key ID of the right form"


LISTS = ForeignIssuer(algorithms={"RS256"}, audience_lists=True)


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://idp.example.com/userinfo", AUDIENCE]])
def test_e09_audience_may_be_in_a_list_when_told_so(aud: object) -> None:
    """A list is accepted with audience_lists alone."""
    assert _verify(KEY.sign({}, claims(aud=aud)), LISTS).application_id == CLIENT
    if isinstance(aud, list):
        assert _refused(KEY.sign({}, claims(aud=aud))) == "wrong audience"


@pytest.mark.parametrize(
    "aud",
    [
        *(..., None, "", [], {}, [1], [AUDIENCE, 1], [[AUDIENCE]], {AUDIENCE: 1}, "other", ["other"], AUDIENCE + "/"),
        *(f"{AUDIENCE} other", AUDIENCE[:-1], [AUDIENCE[:-1]], AUDIENCE.upper()),
    ],
    ids=repr,
)
def test_e08_audience_must_be_ours(aud: object) -> None:
    """Neither a list without the audience, nor one with anything but texts, nor what only looks like it."""
    assert _refused(KEY.sign({}, claims(aud=aud)), LISTS) == "wrong audience"


@pytest.mark.parametrize(
    "iss", [..., None, ISSUER[:-1], ISSUER + "x", ISSUER.upper(), [ISSUER], "https://evil.example"]
)
def test_e11_issuer_is_exact(iss: object) -> None:
    """Letter by letter, the slash at the end as well."""
    assert _refused(KEY.sign({}, claims(iss=iss))) == "wrong issuer"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": ...}, "exp is not a time in whole seconds"),
        ({"exp": str(NOW + 1)}, "exp is not a time in whole seconds"),
        ({"exp": NOW}, "expired"),
        ({"iat": ...}, "iat is not a time in whole seconds"),
        ({"iat": NOW + 11}, "not valid yet"),
        ({"nbf": NOW + 11}, "not valid yet"),
        ({"nbf": None}, "nbf is not a time in whole seconds"),
        ({"exp": NOW + 86_401}, "lives too long"),
        ({"cnf": {"jkt": "x"}}, "bound to a key, but shown as a bearer token"),
        ({"client_id": ...}, "client_id is not a text of the right form"),
        ({"client_id": 1}, "client_id is not a text of the right form"),
        ({"sub": "user"}, "sub is not the application's own"),
        ({"sub": ...}, "sub is not a text of the right form"),
        ({"jti": ...}, "jti is not a text of the right form"),
        ({"jti": ""}, "jti is not a text of the right form"),
        ({"scope": " "}, "scope is not a text of the right form"),
        ({"scope": "a  b"}, "scope is not a text of the right form"),
        ({"scope": {"a": 1}}, "scope is not a text of the right form"),
        ({"scope": ["a b"]}, "scope is not a list of scopes"),
        ({"scope": ["a", 1]}, "scope is not a list of scopes"),
        ({"scope": [""]}, "scope is not a list of scopes"),
    ],
)
def test_e01_to_e26_claims_are_checked_as_ours_are(changes: dict[str, object], reason: str) -> None:
    """Times, confirmation, application, subject, token ID and scopes: no profile is lax about them."""
    assert _refused(KEY.sign({}, claims(**changes))) == reason


def test_e23_scopes_are_a_text_a_list_or_none() -> None:
    """A space-separated text, a list of names, or no claim at all."""
    for scope, scopes in (("a b", {"a", "b"}), (["a", "b"], {"a", "b"}), ([], set()), ("", set()), (..., set())):
        assert _verify(KEY.sign({}, claims(scope=scope))).scopes == scopes


def test_c24_absent_type_must_be_named() -> None:
    """A profile of an issuer that writes no typ, as Okta's custom authorization servers, names the empty text."""
    profile = ForeignIssuer(algorithms={"RS256"}, token_types={""}, application_claim="cid", scope_claim="scp")
    okta = claims(client_id=..., scope=..., cid=CLIENT, scp=["read:devices"])
    assert _verify(KEY.sign({"typ": ...}, okta), profile).scopes == {"read:devices"}
    others: tuple[object, ...] = ("JWT", "at+jwt", None, 0, [])
    for typ in others:
        assert _refused(KEY.sign({"typ": typ}, okta), profile) == "not typed as an access token"


def test_e04_lifetime_can_be_longer() -> None:
    """An issuer whose tokens live for a week can be told so."""
    week = ForeignIssuer(algorithms={"RS256"}, longest_lifetime=7 * 86_400)
    token = KEY.sign({}, claims(exp=NOW + 7 * 86_400))
    assert _verify(token, week).expires_at == NOW + 7 * 86_400
    assert _refused(KEY.sign({}, claims(exp=NOW + 7 * 86_400 + 1)), week) == "lives too long"


def _auth0(**changes: object) -> dict[str, object]:
    return {
        "iss": ISSUER,
        "sub": f"{CLIENT}@clients",
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 86_400,
        "scope": "read:devices",
        "gty": "client-credentials",
        "azp": CLIENT,
    } | changes


def test_auth0() -> None:
    """The default dialect: azp, JWT and no token ID; a token for a user is refused."""
    profile = ForeignIssuer.auth0()
    caller = _verify(KEY.sign({"typ": "JWT"}, _auth0()), profile)
    assert caller == Caller(ISSUER, CLIENT, frozenset({"read:devices"}), "", NOW + 86_400)
    for subject in ("auth0|6553da60a54af58e29493993", CLIENT, "other@clients", f"{CLIENT}@clients@clients"):
        assert _refused(KEY.sign({"typ": "JWT"}, _auth0(sub=subject)), profile) == "sub is not the application's own"


def test_auth0_rfc_9068() -> None:
    """The RFC 9068 dialect: client_id, at+jwt and a token ID, but the subject as before."""
    profile = ForeignIssuer.auth0(rfc_9068=True)
    token = KEY.sign({}, claims(sub=f"{CLIENT}@clients"))
    assert _verify(token, profile).token_id == "73WakrfVbNJBaAmhQtEeDv"
    assert _refused(KEY.sign({"typ": "JWT"}, _auth0()), profile) == "not typed as an access token"


def _keycloak(**changes: object) -> dict[str, object]:
    return {
        "iss": ISSUER,
        "sub": "0f0b4d7c-2d2e-4f4e-9a0a-3e8a6d1f6b0c",
        "aud": [AUDIENCE, "account"],
        "iat": NOW,
        "exp": NOW + 300,
        "jti": "trrtcc:9a0a3e8a-6d1f-4b0c-8f0b-4d7c2d2e4f4e",
        "typ": "Bearer",
        "azp": "device-reader",
        "scope": "profile email",
    } | changes


@pytest.mark.parametrize("typ", ["JWT", "at+jwt"])
def test_keycloak(typ: str) -> None:
    """azp, a list of audiences, and Bearer in the claims."""
    caller = _verify(KEY.sign({"typ": typ}, _keycloak()), ForeignIssuer.keycloak())
    assert (caller.application_id, caller.scopes) == ("device-reader", frozenset({"profile", "email"}))


def test_keycloaks_tokens_without_scopes() -> None:
    """It writes an empty text then (keycloak/keycloak#16523), with which the caller has no scopes."""
    token = KEY.sign({"typ": "JWT"}, _keycloak(scope=""))
    assert _verify(token, ForeignIssuer.keycloak()).scopes == frozenset()


@pytest.mark.parametrize("kind", ["ID", "Refresh", "Offline", "Logout", "Serialized-ID", "DPoP", "bearer", None, ...])
def test_e21_keycloaks_other_tokens_are_refused(kind: object) -> None:
    """ID tokens have the same header, keys and issuer; what the claim typ says tells them apart."""
    token = KEY.sign({"typ": "JWT"}, _keycloak(typ=kind))
    assert _refused(token, ForeignIssuer.keycloak()) == "typ is not what this profile requires"


def _entra(**changes: object) -> dict[str, object]:
    return {
        "iss": ISSUER,
        "sub": "c1c2c3c4-0000-4000-8000-000000000000",
        "oid": "c1c2c3c4-0000-4000-8000-000000000000",
        "aud": AUDIENCE,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3900,
        "azp": "a1a2a3a4-0000-4000-8000-000000000000",
        "azpacr": "1",
        "roles": ["Devices.Read.All"],
        "tid": "d1d2d3d4-0000-4000-8000-000000000000",
        "uti": "Q8rF0kTmMkGZ0fV8bX2wAA",
        "idtyp": "app",
        "ver": "2.0",
    } | changes


def test_entra() -> None:
    """azp, tid, uti and roles, by a key that names no algorithm."""
    caller = _verify(UNNAMED.sign({"typ": "JWT"}, _entra()), ForeignIssuer.entra(), UNNAMED)
    assert caller.tenant_id == "d1d2d3d4-0000-4000-8000-000000000000"
    assert caller.application_id == "a1a2a3a4-0000-4000-8000-000000000000"
    assert (caller.scopes, caller.token_id) == (frozenset({"Devices.Read.All"}), "Q8rF0kTmMkGZ0fV8bX2wAA")


def test_entras_managed_identities_live_for_a_day() -> None:
    """Their tokens, and those of continuous access evaluation, begin five minutes early and last for up to 28 hours."""
    for lifetime in (86_399 + 300, 28 * 3600 + 300):
        token = UNNAMED.sign({"typ": "JWT"}, _entra(exp=NOW + lifetime))
        assert _verify(token, ForeignIssuer.entra(), UNNAMED).expires_at == NOW + lifetime
    token = UNNAMED.sign({"typ": "JWT"}, _entra(exp=NOW + 30 * 3600))
    assert _refused(token, ForeignIssuer.entra(), UNNAMED) == "lives too long"


@pytest.mark.parametrize("changes", [{"idtyp": ...}, {"idtyp": "user"}, {"ver": "1.0"}, {"ver": ...}])
def test_e21_entras_tokens_for_users_are_refused(changes: dict[str, object]) -> None:
    """Without idtyp, nobody can tell whether a user stands behind the token."""
    token = UNNAMED.sign({"typ": "JWT"}, _entra(**changes))
    assert _refused(token, ForeignIssuer.entra(), UNNAMED).endswith("is not what this profile requires")


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"algorithms": set()}, "algorithms"),
        ({"algorithms": "RS256"}, "set"),
        ({"algorithms": {"HS256"}}, "algorithms"),
        ({"algorithms": {"RS256", "none"}}, "algorithms"),
        ({"algorithms": {"rs256"}}, "algorithms"),
        ({"token_types": set()}, "token_types"),
        ({"token_types": "jwt"}, "set"),
        ({"token_types": {"JWT"}}, "token_types"),
        ({"token_types": {"application/at+jwt"}}, "token_types"),
        ({"application_claim": ""}, "application_claim"),
        ({"application_claim": "iss"}, "application_claim"),
        ({"tenant_claim": "aud"}, "tenant_claim"),
        ({"scope_claim": "exp"}, "scope_claim"),
        ({"token_id_claim": "a b"}, "token_id_claim"),
        ({"subject": "user"}, "subject"),
        ({"subject": None, "token_types": {"jwt"}}, "required_claims"),
        ({"subject": None, "token_types": {"at+jwt", ""}}, "required_claims"),
        ({"required_claims": {"aud": "x"}}, "required_claims"),
        ({"required_claims": {"typ": ""}}, "required_claims"),
        ({"required_claims": {"typ": 1}}, "required_claims"),
        ({"longest_lifetime": 0}, "longest_lifetime"),
        ({"longest_lifetime": 30 * 86_400 + 1}, "longest_lifetime"),
        ({"longest_lifetime": float("nan")}, "longest_lifetime"),
    ],
)
def test_e25_profile_that_cannot_be_right_is_refused(settings: dict[str, Any], word: str) -> None:
    """A mistake in the profile is a ConfigurationError that names the parameter."""
    with pytest.raises(ConfigurationError, match=word):
        ForeignIssuer(**({"algorithms": {"RS256"}} | settings))


def test_e34_algorithms_are_required() -> None:
    """There is no default for what an issuer signs with."""
    with pytest.raises(TypeError):
        ForeignIssuer()  # type: ignore[call-arg]


def test_profile_cannot_be_changed_afterwards() -> None:
    """Neither the profile nor what it was made of."""
    algorithms, required = {"RS256"}, {"typ": "Bearer"}
    profile = ForeignIssuer(algorithms=algorithms, required_claims=required)
    algorithms.add("PS256")
    required["typ"] = "ID"
    assert profile.algorithms == {"RS256"}
    assert profile.required_claims == {"typ": "Bearer"}
    with pytest.raises(AttributeError):
        profile.subject = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        profile.required_claims["typ"] = "ID"  # type: ignore[index]


def test_keys_and_verifier_need_the_same_profile() -> None:
    """A verifier says at once when its keys were read with another profile; equal profiles are the same."""
    keys = LocalJwks(jwks_of(KEY), profile=ForeignIssuer.auth0())
    with pytest.raises(ConfigurationError, match="same profile"):
        Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys)
    with pytest.raises(ConfigurationError, match="same profile"):
        Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, profile=RFC_9068)
    Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, profile=ForeignIssuer.auth0())


def test_strict_verifier_refuses_foreign_tokens() -> None:
    """Our own profile takes none of them, even from a key and an issuer that it trusts."""
    key = ForeignKey("ES256")
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=LocalJwks(jwks_of(key)), clock=lambda: NOW)
    for token in (key.sign({}, claims()), key.sign({"typ": "JWT"}, _auth0()), key.sign({"typ": "JWT"}, _keycloak())):
        with pytest.raises(InvalidToken):
            verifier.verify(token)


def test_e27_foreign_tokens_can_be_revoked() -> None:
    """A list of one's own is asked about the token's names, and its time of issue in milliseconds as the version."""
    asked: list[Provenance] = []

    class Everything:
        def generation(self) -> int:
            return 0

        def voids(self, token: Provenance) -> bool:
            asked.append(token)
            return True

    assert _refused(KEY.sign({}, claims()), RFC_9068, KEY, revocations=Everything()) == "revoked"
    assert asked == [Provenance(KEY.kid, "73WakrfVbNJBaAmhQtEeDv", ISSUER, CLIENT, "", NOW * 1000)]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FAST = ForeignKey("EdDSA")
PROFILES = [
    ForeignIssuer(algorithms={"EdDSA"}, audience_lists=True),
    ForeignIssuer(algorithms={"EdDSA"}, subject=None, tenant_claim="tid", scope_claim="roles", token_id_claim=None),
]


@given(
    st.sampled_from(PROFILES),
    st.dictionaries(st.sampled_from([*claims(), "tid", "roles"]), JSON_VALUES, min_size=1, max_size=3),
)
def test_arbitrary_claims_raise_nothing_else(profile: ForeignIssuer, changes: dict[str, object]) -> None:
    """Whatever the claims hold, verification returns a caller or raises InvalidToken."""
    try:
        assert _verify(FAST.sign({}, claims(**changes)), profile, FAST).application_id
    except InvalidToken:
        return
