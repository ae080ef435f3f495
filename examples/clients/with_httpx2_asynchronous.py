"""Calls the API with httpx2 in an event loop. However often the token is renewed meanwhile, no call fails."""

import asyncio
import sys
import time

import httpx2

from sensos_auth.client import AsyncTokenSource
from sensos_auth.client.httpx2 import TokenAuth


async def main() -> None:
    source = AsyncTokenSource.from_env()
    calls = failed = 0
    ends_at = time.monotonic() + float(sys.argv[1])
    async with httpx2.AsyncClient(base_url=source.source.base_url, auth=TokenAuth(source)) as client:
        while time.monotonic() < ends_at:
            calls += 1
            failed += (await client.get("/v1/endpoint")).status_code != 200
            await asyncio.sleep(0.1)
    print(f"{calls} calls, {failed} failed")


asyncio.run(main())
