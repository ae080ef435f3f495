"""A gRPC service with asyncio. Run: ADDRESS=127.0.0.1:8001 python grpc_aio_service.py.

Its messages are plain bytes, so that it needs no generated code; yours come from your .proto files.
"""

import asyncio
import os

import grpc
import grpc.aio

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.grpc import AsyncAuthenticationInterceptor, current_caller, require

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


async def whoami(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
    return current_caller().application_id.encode()


@require("vehicles:read")
async def vehicles(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
    return f"a vehicle of {current_caller().tenant_id}".encode()


fleet = grpc.method_handlers_generic_handler(
    "fleet.v1.Fleet",
    {
        "WhoAmI": grpc.unary_unary_rpc_method_handler(whoami),
        "Vehicles": grpc.unary_unary_rpc_method_handler(vehicles),
    },
)


async def serve() -> None:
    server = grpc.aio.server(interceptors=[AsyncAuthenticationInterceptor(verifier)])
    server.add_generic_rpc_handlers([fleet])
    server.add_insecure_port(os.environ["ADDRESS"])
    await server.start()
    await server.wait_for_termination()


asyncio.run(serve())
