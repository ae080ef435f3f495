"""Calls the API with httpx for some seconds. However often the token is renewed meanwhile, no call fails."""

import sys
import time

import httpx

from sensos_auth.client import TokenSource
from sensos_auth.client.httpx import TokenAuth

source = TokenSource.from_env()
calls = failed = 0
ends_at = time.monotonic() + float(sys.argv[1])
with httpx.Client(base_url=source.base_url, auth=TokenAuth(source)) as client:
    while time.monotonic() < ends_at:
        calls += 1
        failed += client.get("/v1/endpoint").status_code != 200
        time.sleep(0.1)
print(f"{calls} calls, {failed} failed")
