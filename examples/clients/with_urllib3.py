"""Calls the API with urllib3 for some seconds. However often the token is renewed meanwhile, no call fails."""

import sys
import time

import urllib3

from sensos_auth.client import TokenSource
from sensos_auth.client.headers import authorization

source = TokenSource.from_env()
url = f"{source.base_url}/v1/endpoint"
calls = failed = 0
ends_at = time.monotonic() + float(sys.argv[1])
with urllib3.PoolManager() as http:
    while time.monotonic() < ends_at:
        calls += 1
        failed += http.request("GET", url, headers=authorization(source, url)).status != 200
        time.sleep(0.1)
print(f"{calls} calls, {failed} failed")
