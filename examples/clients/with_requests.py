"""Calls the API with requests for some seconds. However often the token is renewed meanwhile, no call fails."""

import sys
import time

import requests

from sensos_auth.client import TokenSource
from sensos_auth.client.requests import TokenAuth

source = TokenSource.from_env()
calls = failed = 0
ends_at = time.monotonic() + float(sys.argv[1])
with requests.Session() as session:
    session.auth = TokenAuth(source)
    while time.monotonic() < ends_at:
        calls += 1
        failed += session.get(f"{source.base_url}/v1/endpoint", timeout=10).status_code != 200
        time.sleep(0.1)
print(f"{calls} calls, {failed} failed")
