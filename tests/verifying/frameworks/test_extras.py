import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "needs"),
    [
        *(("aiohttp", "aiohttp"), ("django", "django"), ("djangorestframework", "rest_framework"), ("flask", "flask")),
        *(("grpc", "grpc"), ("litestar", "litestar"), ("starlette", "starlette")),
    ],
)
def test_without_a_framework_the_error_says_what_to_install(module: str, needs: str) -> None:
    """Importing an adapter where its framework is not installed names the extra."""
    program = f"import sys; sys.modules[{needs!r}] = None\nimport sensos_auth.verifying.{module}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert f"pip install 'sensos-auth[{module}]'" in result.stderr
