"""The memory of one verifier: ``python -m benchmarks.revocation.memory REVOKED VERDICTS``, in a fresh process."""

import json
import os
import sys
import time
from pathlib import Path

from sensos_auth.issuing.key_pair import load_signature_function, new_key_pair
from sensos_auth.issuing.minting import Signer
from sensos_auth.model.access_token import Claims
from sensos_auth.model.revocation import DIGEST_LENGTH, Provenance
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.verifying import LocalJwks, Verifier
from sensos_auth.verifying.revocation_state import RevocationState

_PAGE = 10_000
ISSUER, AUDIENCE = "https://auth.example.com", "sensos-api"


class _Held:
    def __init__(self, state: RevocationState) -> None:
        self._state = state

    def generation(self) -> int:
        return self._state.generation

    def voids(self, token: Provenance) -> bool:
        return self._state.voids(token)


def main() -> None:
    """Print the resident memory in MB and the seconds that it took, step by step."""
    revoked, verdicts = map(int, sys.argv[1:3])
    pair = new_key_pair("ES256")
    signer = Signer(pair.kid, "ES256", load_signature_function("ES256", pair.private_key))
    state = RevocationState()
    verifier = Verifier(
        issuer=ISSUER,
        audience=AUDIENCE,
        keys=LocalJwks(f'{{"keys":[{pair.public_jwk}]}}'),
        revocations=_Held(state),
        remembered_verdicts=2 * verdicts,
    )
    now = int(time.time())
    verifier.verify(signer.mint(_claims(now, 0)))
    empty = _resident()
    began = time.perf_counter()
    for version in range(1, revoked // _PAGE + 1):
        tokens = [(now + 60 * minute, os.urandom(DIGEST_LENGTH * _PAGE // 500)) for minute in range(1, 501)]
        state.apply(RevocationPage(issuer=ISSUER, since=version - 1, version=version, as_of=now, tokens=tokens))
    applied = time.perf_counter() - began
    with_revoked = _resident()
    for number in range(verdicts):
        verifier.verify(signer.mint(_claims(now, number)))
    with_verdicts = _resident()
    print(
        json.dumps(
            {
                "revoked": state.entries(),
                "verdicts": verdicts,
                "empty": empty,
                "with_revoked": with_revoked,
                "with_verdicts": with_verdicts,
                "seconds_to_apply": applied,
            }
        )
    )


def _claims(now: int, number: int) -> Claims:
    application = f"app_{number:026}"
    return Claims(
        iss=ISSUER,
        sub=application,
        aud=AUDIENCE,
        iat=now,
        exp=now + 36_000,
        jti=f"{number:022}",
        client_id=application,
        tenant_id=f"ten_{number:026}",
        credential_id=f"sec_{number:026}",
        rv=now * 1000,
        scope="devices:read devices:write",
    )


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
