"""For any other library, urllib3 among them: the header as a dictionary, for one request at a time."""

from sensos_auth.client.token_source import AnySource, source_of


def authorization(source: AnySource, url: str) -> dict[str, str]:
    """Return the ``Authorization`` header for a request to the URL: empty if it is of another origin.

    Ask for it before each request, and leave nothing of it behind: ``http.request("GET", url,
    headers=authorization(source, url))``. Whether the header goes along with a redirect is the library's doing;
    urllib3 takes it away when the host changes. After a 401, ask :meth:`TokenSource.renewed`. Raises what
    :meth:`TokenSource.token` does.
    """
    chosen = source_of(source)
    if not chosen.origins.permit_url(url):
        return {}
    held = chosen.shared.held
    if chosen.shared.clock() >= held.stale_at:
        held = chosen.shared.get()
    return {"Authorization": held.authorization}
