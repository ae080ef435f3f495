"""Calls the API with the standard library for some seconds. However often the token is renewed, no call fails."""

import sys
import time
import urllib.error
from urllib.request import build_opener

from sensos_auth.client import TokenSource
from sensos_auth.client.urllib import TokenHandler

source = TokenSource.from_env()
opener = build_opener(TokenHandler(source))
calls = failed = 0
ends_at = time.monotonic() + float(sys.argv[1])
while time.monotonic() < ends_at:
    calls += 1
    try:
        opener.open(f"{source.base_url}/v1/endpoint", timeout=10).close()
    except urllib.error.HTTPError:
        failed += 1
    time.sleep(0.1)
print(f"{calls} calls, {failed} failed")
