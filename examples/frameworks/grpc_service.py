"""A gRPC service. Run: ADDRESS=127.0.0.1:8001 python grpc_service.py.

Its messages are plain bytes, so that it needs no generated code; yours come from your .proto files.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import grpc

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.grpc import AuthenticationInterceptor, current_caller, require

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


def whoami(request: bytes, context: grpc.ServicerContext) -> bytes:
    return current_caller().application_id.encode()


@require("vehicles:read")
def vehicles(request: bytes, context: grpc.ServicerContext) -> bytes:
    return f"a vehicle of {current_caller().tenant_id}".encode()


fleet = grpc.method_handlers_generic_handler(
    "fleet.v1.Fleet",
    {
        "WhoAmI": grpc.unary_unary_rpc_method_handler(whoami),
        "Vehicles": grpc.unary_unary_rpc_method_handler(vehicles),
    },
)
server = grpc.server(ThreadPoolExecutor(), interceptors=[AuthenticationInterceptor(verifier)])
server.add_generic_rpc_handlers([fleet])
server.add_insecure_port(os.environ["ADDRESS"])
server.start()
server.wait_for_termination()
