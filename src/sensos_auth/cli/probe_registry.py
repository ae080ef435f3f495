"""What ``probe --with-registry`` adds: the issuer's own signing key, and the revocation of a token."""

import json
from collections.abc import Mapping

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.opening import opened_registry, registry_change
from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_pair import load_signature_function
from sensos_auth.model.signing_key import active_key
from sensos_auth.probing.issuer_keys import IssuerKeys, parse_issuer_keys
from sensos_auth.probing.means import Registry
from sensos_auth.probing.tokens import GoodToken
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key


def registry_means(good: GoodToken, environment: Mapping[str, str]) -> tuple[Registry, IssuerKeys]:
    """Return what can be done with the registry of this environment, and the keys that it publishes.

    Raises Refused when it holds no signing key, or not the one that signed the good token; ConfigurationError.
    """
    with opened_registry() as registry:
        with registry.view() as view:
            keys = list_signing_keys(view)
            active = active_key(keys, view.now)
            sealed = None if active is None else sealed_private_key(view, active.kid)
            published = [json.loads(key.public_jwk) for key in keys if key.is_published(view.now)]
        if active is None or sealed is None:
            raise Refused("the registry of this environment holds no active signing key")
        if good.kid not in {jwk["kid"] for jwk in published}:
            raise Refused("the registry of this environment does not publish the key that signed the good token")
        private_key = obtain_master_key(registry, environment).open(active.kid, sealed)
    sign = load_signature_function(active.algorithm, private_key)
    document = json.dumps({"keys": published}).encode()
    return Registry(active.kid, active.algorithm, sign, _revoke), parse_issuer_keys(document, good.kid)


def _revoke(token_id: str, expires_at: int) -> None:
    with registry_change() as change:
        revoke_token(change, token_id, expires_at=expires_at)
