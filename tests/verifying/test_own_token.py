import pickle
from pathlib import Path

import pytest

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.verifying import VerifierCredentials

ENVIRONMENT = {
    "SENSOS_TENANT_ID": "ten_a",
    "SENSOS_APPLICATION_ID": "app_b",
    "SENSOS_APPLICATION_SECRET": "sensos_sk_secret",
}


class TestVerifierCredentials:
    """Where they come from. What is done with them: ``test_remote_revocations.py``."""

    def test_they_come_from_the_environment(self) -> None:
        """All three."""
        credentials = VerifierCredentials.from_env(ENVIRONMENT)
        assert (credentials.tenant_id, credentials.application_id) == ("ten_a", "app_b")
        assert credentials.current_secret() == "sensos_sk_secret"

    def test_each_may_be_in_a_file(self, tmp_path: Path) -> None:
        """The secret's is read again each time, because it may have been rotated."""
        files = {name: tmp_path / name for name in ENVIRONMENT}
        for name, file in files.items():
            file.write_text(ENVIRONMENT[name] + "\n")
        credentials = VerifierCredentials.from_env({f"{name}_FILE": str(file) for name, file in files.items()})
        assert (credentials.tenant_id, credentials.application_id) == ("ten_a", "app_b")
        assert credentials.current_secret() == "sensos_sk_secret"
        files["SENSOS_APPLICATION_SECRET"].write_text("sensos_sk_next")
        assert credentials.current_secret() == "sensos_sk_next"

    @pytest.mark.parametrize("missing", ENVIRONMENT)
    def test_what_is_missing_is_named(self, missing: str) -> None:
        """With the variable, and the one for a file."""
        environment = {name: value for name, value in ENVIRONMENT.items() if name != missing}
        with pytest.raises(ConfigurationError, match=f"set {missing}, or {missing}_FILE"):
            VerifierCredentials.from_env(environment)

    @pytest.mark.parametrize("content", [None, "", "\n", "x" * 5000])
    def test_a_file_that_holds_no_value_is_refused(self, tmp_path: Path, content: str | None) -> None:
        """And nothing of it is repeated."""
        file = tmp_path / "secret"
        if content is not None:
            file.write_text(content)
        environment = {name: value for name, value in ENVIRONMENT.items() if name != "SENSOS_APPLICATION_SECRET"}
        with pytest.raises(ConfigurationError, match="SENSOS_APPLICATION_SECRET_FILE") as caught:
            VerifierCredentials.from_env(environment | {"SENSOS_APPLICATION_SECRET_FILE": str(file)})
        assert "xxx" not in str(caught.value)

    def test_both_at_once_are_refused(self) -> None:
        """Nobody can tell which one is meant."""
        with pytest.raises(ConfigurationError, match="not both"):
            VerifierCredentials.from_env(ENVIRONMENT | {"SENSOS_TENANT_ID_FILE": "x"})

    def test_the_secret_is_not_shown(self) -> None:
        """Neither by a representation nor by pickling."""
        credentials = VerifierCredentials.from_env(ENVIRONMENT)
        assert "sensos_sk" not in repr(credentials)
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(credentials)
