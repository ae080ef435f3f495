from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sensos_auth.issuing.feed_signer import keep_feed_key
from sensos_auth.registry import Registry
from sensos_auth.registry.feed_keys import list_feed_keys
from sensos_auth.registry.signing_keys import sealed_private_key
from sensos_auth.registry.sqlite import SqliteDatabase
from tests.issuing.deployment import MASTER_KEY, Deployment
from tests.registries import Clock


def test_i15_files_hold_no_secret_and_no_private_key(sqlite_registry: Registry, clock: Clock) -> None:
    """Neither the registry's file nor its log has the secret, the token or a private key, in any usual form."""
    deployment = Deployment(sqlite_registry, clock)
    shown = deployment.new_application()
    token = deployment.issuer.issue(shown).access_token
    (key,) = deployment.keys()
    with sqlite_registry.view() as view:
        sealed = sealed_private_key(view, key.kid)
    assert sealed is not None
    private_key = serialization.load_der_private_key(MASTER_KEY.open(key.kid, sealed), password=None)
    assert isinstance(private_key, ec.EllipticCurvePrivateKey)
    number = private_key.private_numbers().private_value.to_bytes(32)
    feed_seed = _feed_seed(sqlite_registry)

    assert isinstance(sqlite_registry.database, SqliteDatabase)
    folder = sqlite_registry.database.path.parent
    content = b"".join(path.read_bytes() for path in _files(folder))
    assert shown.application_id.encode() in content
    for canary in (shown.application_secret[10:].encode(), token.encode(), number, number.hex().encode(), feed_seed):
        assert canary not in content


def _feed_seed(registry: Registry) -> bytes:
    keep_feed_key(registry, MASTER_KEY)
    with registry.view() as view:
        (key,) = list_feed_keys(view)
    private_key = serialization.load_der_private_key(MASTER_KEY.open(key.kid, key.sealed_private_key), password=None)
    assert isinstance(private_key, ed25519.Ed25519PrivateKey)
    return private_key.private_bytes_raw()


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("registry.sqlite3*"))
    assert len(files) == 3
    return files
