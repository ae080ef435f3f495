"""An ASGI application as an endpoint of ours: its answer is kept whole, and sent by the envelope like all others."""

from sensos_auth.server.answers import Answer, Endpoint
from sensos_auth.server.asgi import Application, Message, Receive, Scope


def endpoint_of(application: Application) -> Endpoint:
    """Return the application's answers. What it raises is raised: the envelope has an answer for everything."""

    async def endpoint(scope: Scope, receive: Receive) -> Answer:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await application(scope, receive, keep)
        start, *rest = sent
        return Answer(start["status"], list(start["headers"]), b"".join(message.get("body", b"") for message in rest))

    return endpoint
