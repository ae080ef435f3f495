"""JSONTestSuite as bodies of POST /v1/applications/token: the catalogue's A04 to A06, A35 and A37."""

import json
from pathlib import Path

import pytest

from tests.running_service import RunningService
from tests.server.contract import JSON_TYPE, NOT_JSON, TOO_LARGE, ask_for_token, assert_error
from tests.vectors import vector_files


@pytest.mark.parametrize("file", vector_files("JSONTestSuite/test_parsing/n_*.json"), ids=lambda file: file.stem)
def test_a04_a05_a06_a37_malformed_json(service: RunningService, file: Path) -> None:
    """What the suite calls no JSON is none for us: 400, or 413 where it is too large to be looked at."""
    body = file.read_bytes()
    answer = ask_for_token(service, body, [JSON_TYPE, ("Content-Length", str(len(body)))]).answer
    assert answer is not None
    if len(body) > 8192:
        assert_error(answer, 413, TOO_LARGE)
    elif body:
        assert_error(answer, 400, NOT_JSON)
    else:
        assert answer.status == 400


@pytest.mark.parametrize("file", vector_files("JSONTestSuite/test_parsing/[yi]_*.json"), ids=lambda file: file.stem)
def test_a04_a35_well_formed_json_without_credentials(service: RunningService, file: Path) -> None:
    """What is JSON, or may be taken for it, lacks our fields all the same: 400 in the contract's form."""
    answer = ask_for_token(service, file.read_bytes(), [JSON_TYPE]).answer
    assert answer is not None
    assert answer.status in ({400, 413} if file.stem.startswith("i_") else {400})
    assert_error(answer, answer.status, json.loads(answer.body)["message"])
