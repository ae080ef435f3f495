from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.feed_keys import FeedKey, add_feed_key, list_feed_keys
from tests.registries import START


def test_key_is_kept_as_it_was_given(registry: Registry) -> None:
    """In the order of their creation, with an audit event, and without showing the sealed half."""
    for kid in ("b", "a"):
        with registry.change("me") as change:
            add_feed_key(change, kid, '{"kty":"OKP"}', b"sealed")
    with registry.view() as view:
        keys = list_feed_keys(view)
        assert [(event.action, event.subject) for event in list_events(view)] == [
            ("feed_key.created", "b"),
            ("feed_key.created", "a"),
        ]
    assert keys == [FeedKey(kid, '{"kty":"OKP"}', b"sealed", START) for kid in ("b", "a")]
    assert "sealed" not in repr(keys)
