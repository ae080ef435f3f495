import re

import pytest

from sensos_auth.model.identifiers import is_identifier, new_application_id, new_secret_id, new_tenant_id


@pytest.mark.parametrize(
    ("new", "prefix"), [(new_tenant_id, "ten_"), (new_application_id, "app_"), (new_secret_id, "sec_")]
)
def test_prefix_says_what_is_named(new, prefix: str) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - any of three
    """A prefix and 26 characters of lower-case base32; never the same twice."""
    made = {new() for _ in range(5000)}
    assert len(made) == 5000
    assert all(re.fullmatch(prefix + "[a-z2-7]{26}", one) and is_identifier(one) for one in made)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ten_",
        "ten_" + "a" * 25,
        "ten_" + "a" * 27,
        "TEN_" + "a" * 26,
        "ten_" + "A" * 26,
        "ten_" + "1" * 26,
        "key_" + "a" * 26,
        "ten_" + "a" * 26 + "\n",
        " ten_" + "a" * 26,
        "ten_" + "a" * 25 + "\u0430",
    ],
)
def test_a20_anything_else_is_no_identifier(text: str) -> None:
    """There is one way to write an identifier: other cases, blanks and look-alikes are none."""
    assert not is_identifier(text)
