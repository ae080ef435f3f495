"""Calls the API with the client that comes along. However often the token is renewed meanwhile, no call fails."""

import sys
import time

from sensos_auth.client import ApiError, Client

calls = failed = 0
ends_at = time.monotonic() + float(sys.argv[1])
with Client.from_env() as client:
    while time.monotonic() < ends_at:
        calls += 1
        try:
            client.get("/v1/endpoint")
        except ApiError:
            failed += 1
        time.sleep(0.1)
print(f"{calls} calls, {failed} failed")
