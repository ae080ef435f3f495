import json
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode

import jwt
import pytest
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.feed_signer import FeedSigner, keep_feed_key, open_feed_signer
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.feed_keys import FeedKey, list_feed_keys
from tests.issuing.deployment import MASTER_KEY
from tests.registries import Place

BODY = b'{"issuer":"https://auth.example","since":0,"version":5,"asOf":1}'
MASTER_KEY_TEXT = urlsafe_b64encode(bytes(range(32))).decode()


def kept(registry: Registry) -> list[FeedKey]:
    """Return the keys of the feed."""
    with registry.view() as view:
        return list_feed_keys(view)


@pytest.fixture
def signer(registry: Registry) -> FeedSigner:
    """Return the signer of a registry that has its key."""
    keep_feed_key(registry, MASTER_KEY)
    return open_feed_signer(registry, MASTER_KEY)


def test_signature_is_a_detached_jws_that_others_verify(signer: FeedSigner) -> None:
    """PyJWT and joserfc verify it once the payload is put back (RFC 7515 appendix F), and not another payload."""
    header, payload, signature = signer.sign(BODY).decode().split(".")
    assert payload == ""
    key = OKPKey.import_key(json.loads(signer.public_jwk))
    assert json.loads(urlsafe_b64decode(header + "==")) == {
        "alg": "EdDSA",
        "typ": "sensos-revocations",
        "kid": key.thumbprint(),
    }
    whole = f"{header}.{urlsafe_b64encode(BODY).rstrip(b'=').decode()}.{signature}"
    with pytest.warns(SecurityWarning, match="RFC 9864"):  # which gives EdDSA with this curve a name of its own
        assert jws.deserialize_compact(whole, key, algorithms=["EdDSA"]).payload == BODY
    public_key = jwt.PyJWK(json.loads(signer.public_jwk))
    assert jwt.PyJWS().decode(whole, public_key, algorithms=["EdDSA"]) == BODY
    other = f"{header}.{urlsafe_b64encode(BODY.replace(b'5', b'6')).rstrip(b'=').decode()}.{signature}"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.PyJWS().decode(other, public_key, algorithms=["EdDSA"])


def test_key_is_made_once(registry: Registry, signer: FeedSigner) -> None:
    """The next start finds it; that it was made is in the audit trail."""
    keep_feed_key(registry, MASTER_KEY)
    (key,) = kept(registry)
    assert open_feed_signer(registry, MASTER_KEY).public_jwk == signer.public_jwk == key.public_jwk
    with registry.view() as view:
        assert [(event.actor, event.action, event.subject) for event in list_events(view)] == [
            ("system:feed", "feed_key.created", key.kid)
        ]


def test_z09_of_several_starts_at_once_one_makes_the_key(place: Place) -> None:
    """And no version is spent by the others."""
    registries = [place.open() for _ in range(4)]
    barrier = threading.Barrier(4)

    def start(registry: Registry) -> None:
        barrier.wait()
        keep_feed_key(registry, MASTER_KEY)

    threads = [threading.Thread(target=start, args=(registry,)) for registry in registries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(registries[0])) == 1
    with registries[0].view() as view:
        assert len(list_events(view)) == 1


def test_registry_without_key_cannot_sign(registry: Registry) -> None:
    """It says so, rather than sign with anything else."""
    with pytest.raises(RegistryUnavailable, match="no key for the revocation feed"):
        open_feed_signer(registry, MASTER_KEY)


def test_i13_wrong_master_key_is_refused(registry: Registry, signer: FeedSigner) -> None:  # noqa: ARG001 - makes the key
    """Where the feed's key is all there is, too: neither signed with, nor taken for the deployment's."""
    wrong = MasterKey(bytes(32))
    with pytest.raises(ConfigurationError, match="does not open"):
        open_feed_signer(registry, wrong)
    obtain_master_key(registry, {"SENSOS_AUTH_MASTER_KEY": MASTER_KEY_TEXT})
    with pytest.raises(ConfigurationError, match="does not open"):
        obtain_master_key(registry, {"SENSOS_AUTH_MASTER_KEY": urlsafe_b64encode(bytes(32)).decode()})


def test_sealed_key_is_bound_to_its_key_id(registry: Registry, signer: FeedSigner) -> None:  # noqa: ARG001 - makes the key
    """Under another key ID it is not opened."""
    (key,) = kept(registry)
    swapped = FeedKey("another", key.public_jwk, key.sealed_private_key, key.created_at)
    with pytest.raises(ConfigurationError):
        FeedSigner(swapped, MASTER_KEY)
