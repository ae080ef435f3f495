"""``sensos-auth serve``: the service in production."""

import os

import click

from sensos_auth.server.serving import serve as run_service


@click.command(
    epilog="\b\nExample:\n  SENSOS_AUTH_ISSUER=https://auth.example.com sensos-auth serve --host 0.0.0.0 --workers 4"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_535), help="The port to listen on.")
@click.option(
    "--workers",
    default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
    show_default="one per core",
    type=click.IntRange(1, 256),
    help="How many processes answer.",
)
def serve(host: str, port: int, workers: int) -> None:
    """Serve the token endpoint, the JWKS and the example API until SIGTERM.

    TLS is the business of the proxy in front. Log lines go to standard error, as JSON unless that is a terminal. On
    SIGTERM every request that has begun is answered; what has not ended after 12 seconds is cut off.
    """
    run_service(host=host, port=port, workers=workers)
