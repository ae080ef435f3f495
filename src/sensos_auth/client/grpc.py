"""For gRPC (``pip install 'sensos-auth[grpc]'``): call credentials for a secure channel.

::

    channel_credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(), call_credentials(TokenSource.from_env())
    )
    channel = grpc.secure_channel("api.example.com:443", channel_credentials)
    channel = grpc.intercept_channel(channel, RenewWhenRefused(source))

gRPC tells credentials nothing of a call's outcome, so an interceptor of its own looks for UNAUTHENTICATED.
"""

from collections.abc import Callable
from typing import Any

import grpc

from sensos_auth.client.held_token import NO_TOKEN
from sensos_auth.client.token_source import AnySource, TokenSource, source_of
from sensos_auth.model.errors import ConfigurationError


def call_credentials(source: AnySource) -> grpc.CallCredentials:
    """Return call credentials that put an access token of the source on every call.

    Only calls to the origins of the source get one; others fail. For gRPC these are ``https`` and the channel's target:
    name them in ``allowed_origins`` if it is not the base URL. gRPC sends call credentials over secure channels only.
    """
    return grpc.metadata_call_credentials(_TokenPlugin(source_of(source)), name="sensos-auth")


class _TokenPlugin(grpc.AuthMetadataPlugin):
    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        if not self._source.origins.permit_url(context.service_url):
            callback((), ConfigurationError("this service is not among the origins that the access token is for"))
            return
        try:
            authorization = self._source.shared.get().authorization
        except Exception as error:  # noqa: BLE001 - gRPC wants it handed over
            callback((), error)
            return
        callback((("authorization", authorization),), None)


class RenewWhenRefused(grpc.UnaryUnaryClientInterceptor):
    """Has a token renewed that a service refused with UNAUTHENTICATED, and makes the call once more.

    For calls with one request and one answer, on a channel with :func:`call_credentials`; streams are left alone. A
    call that was made with ``future`` waits for its outcome here.
    """

    def __init__(self, source: AnySource) -> None:
        self._shared = source_of(source).shared

    def intercept_unary_unary(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401 - a message of any kind
    ) -> Any:  # noqa: ANN401 - gRPC's own call
        """Make one call."""
        before = self._shared.held
        call = continuation(client_call_details, request)
        if call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return call
        refused = self._shared.held if before is NO_TOKEN else before
        if self._shared.replace(refused) is None:
            return call
        return continuation(client_call_details, request)
