"""One token request over HTTP: bounded in time and size, and to exactly the address that was configured."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sensos_auth import __version__
from sensos_auth.client.token_answer import Answer, NoAnswer
from sensos_auth.model.loopback import may_use_proxy

LARGEST_ANSWER = 64 * 1024


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Where the credentials go, and what they are. Its representation shows no secret."""

    url: str
    tenant_id: str
    application_id: str
    secret: str = field(repr=False)

    def body(self) -> bytes:
        """Return the body of the request."""
        members = {
            "tenantId": self.tenant_id,
            "applicationId": self.application_id,
            "applicationSecret": self.secret,
        }
        return json.dumps(members).encode()


def send(request: TokenRequest, seconds: float, ca_file: str | None = None) -> Answer:
    """Return what the service answers; raises NoAnswer when ``seconds`` are over, or nothing whole comes back.

    Redirects are not followed, TLS is always verified: against ``ca_file`` if there is one, else as the environment
    sets it, which names proxies as well. Blocks, so it belongs into a thread of its own: an event loop in it is what
    ends a slow drip in time.
    """
    import httpx2  # noqa: PLC0415 - 10 MB, and only who has no token needs it

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_send(request, seconds, ca_file))
    except TimeoutError:
        raise NoAnswer(f"no whole answer within {seconds:.3g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        # Only the kind of error: nobody knows what is in the texts.
        certificate = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None)
        if certificate is not None:
            raise NoAnswer(
                f"its certificate is not good ({certificate.verify_message.rstrip('.')})", is_final=True
            ) from None
        raise NoAnswer(type(error).__name__) from None
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()  # unlike asyncio.run, it does not wait for a name server that is silent


async def _send(request: TokenRequest, seconds: float, ca_file: str | None) -> Answer:
    import httpx2  # noqa: PLC0415 - as above

    headers = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": f"sensos-auth-client/{__version__}",
    }
    async with (
        asyncio.timeout(seconds),
        httpx2.AsyncClient(
            headers=headers, timeout=None, follow_redirects=False, **connection_options(request.url, ca_file)
        ) as client,
        client.stream("POST", request.url, content=request.body()) as response,
    ):
        if response.headers.get("content-encoding", "identity") != "identity":
            raise NoAnswer("an encoded answer")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LARGEST_ANSWER:
                raise NoAnswer(f"an answer of more than {LARGEST_ANSWER} bytes")
        return Answer(response.status_code, bytes(body), response.headers.get("retry-after"))


def connection_options(url: str, ca_file: str | None) -> dict[str, Any]:
    """Return how httpx2 connects to the URL: with TLS verified, and to this machine never through a proxy.

    A proxy would see what goes to a loopback address over plain http.
    """
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    return {"verify": verify, "trust_env": may_use_proxy(url)}


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
