import subprocess
import sys

NEEDS = {
    "aiohttp": "aiohttp",
    "django": "django",
    "djangorestframework": "rest_framework",
    "fastapi": "fastapi",
    "flask": "flask",
    "grpc": "grpc",
    "litestar": "litestar",
    "starlette": "starlette",
}
PROGRAM = f"""
import importlib, sys
sys.modules |= dict.fromkeys({[*NEEDS.values()]})
import sensos_auth.verifying
assert "httpx2" not in sys.modules
for module in {[*NEEDS]}:
    try:
        importlib.import_module("sensos_auth.verifying." + module)
    except ImportError as error:
        print(error)
"""


def test_without_a_framework_the_error_says_what_to_install() -> None:
    """Importing an adapter names the extra; the package itself needs none, and loads no HTTP client by itself."""
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=30)
    told = result.stdout.splitlines()
    assert len(told) == len(NEEDS), result.stderr
    for module, line in zip(NEEDS, told, strict=True):
        assert line.startswith(f"sensos_auth.verifying.{module} needs ")
        assert line.endswith(f": pip install 'sensos-auth[{module}]'")
