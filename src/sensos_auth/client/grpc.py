"""For gRPC (``pip install 'sensos-auth[grpc]'``): call credentials for a secure channel.

::

    channel_credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(), call_credentials(TokenSource.from_env())
    )
    grpc.secure_channel("api.example.com:443", channel_credentials)

gRPC tells credentials nothing of a call's outcome: when the API answers UNAUTHENTICATED, say so with
``source.renewed(token)`` and call again.
"""

import grpc

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
