"""Calls the API with aiohttp for some seconds. However often the token is renewed meanwhile, no call fails."""

import asyncio
import sys
import time

import aiohttp

from sensos_auth.client import TokenSource
from sensos_auth.client.aiohttp import TokenMiddleware


async def main() -> None:
    source = TokenSource.from_env()
    calls = failed = 0
    ends_at = time.monotonic() + float(sys.argv[1])
    async with aiohttp.ClientSession(source.base_url, middlewares=[TokenMiddleware(source)]) as session:
        while time.monotonic() < ends_at:
            calls += 1
            async with session.get("/v1/endpoint") as answer:
                failed += answer.status != 200
            await asyncio.sleep(0.1)
    print(f"{calls} calls, {failed} failed")


asyncio.run(main())
