"""Defects in how the revocation feed is followed."""

from tests.planted_defects.defect import Defect, in_file

_page = in_file("verifying/feed_page.py", "verifying/test_feed_page.py")
_remote = in_file("verifying/remote_revocations.py", "verifying/test_remote_revocations.py")
_follower = in_file("verifying/feed_follower.py", "verifying/test_remote_revocations.py")
_standing = in_file("verifying/feed_standing.py", "verifying/test_remote_revocations.py")
_connection = in_file("verifying/feed_connection.py", "verifying/test_feed_connection.py")
_kept = in_file("verifying/kept_document.py", "verifying/test_kept_document.py")

DEFECTS: list[Defect] = [
    _page.defect(
        "Z74 anybody may write a page",
        "if key.algorithm not in FEED.algorithms or not key.verifies(jws):",
        "if key.algorithm not in FEED.algorithms:",
    ),
    _page.defect("Z74 an access token's signature signs a page", 'if jws.header.get("typ") != FEED_TYPE or', "if"),
    _page.defect("Z74 any kind of key signs pages", 'frozenset({"EdDSA"})', 'frozenset({"EdDSA", "ES256"})'),
    _page.defect("Z74 a page of another issuer is taken", "if page.issuer != issuer:", "if False:"),
    _page.defect("Z74 a page that was not asked for is taken", "if page.since != since:", "if False:"),
    _page.defect("Z20 a page older than what is held is taken", "if page.version < since:", "if False:"),
    _remote.defect(
        "Z73 the policy for stale revocations is not heard",
        "is_heard = now - confirmed_at <= self._max_staleness",
        "is_heard = True",
    ),
    _remote.defect(
        "Z73 stale revocations refuse where they should not",
        "        if self._refuses:\n            is_heard",
        "        if True:\n            is_heard",
    ),
    _remote.defect(
        "Z73 tokens are accepted before the feed was heard",
        "is_heard = confirmed_at > -math.inf or now - self._began_at > _FIRST_HEARING",
        "is_heard = True",
    ),
    _follower.defect("Z73 the first page of many is all", "        if not page.more:\n", "        if True:\n"),
    _follower.defect(
        "Z74 a replayed page confirms the feed as of now",
        "self._standing.confirm(asked_at, self._now() - page.as_of, self._clock())",
        "self._standing.confirm(self._clock(), 0.0, self._clock())",
    ),
    _follower.defect(
        "F16 a revoked key is not fetched anew",
        "if page.signing_keys and self._feed.token_keys is not None:",
        "if False:",
    ),
    _follower.defect(
        "N12 one worker speaks for all",
        "if name is not None and process == self._feed.made_in:",
        "if name is not None:",
    ),
    _follower.defect(
        "Z74 one bad answer ends the thread",
        "            except Exception as error:  # noqa: BLE001 - whatever it was, the feed is followed on\n",
        "            except ZeroDivisionError as error:\n",
    ),
    _standing.defect(
        "Z74 the age of a page is not looked at",
        "asked_at - (age if age > CLOCKS_MAY_DIFFER else 0.0)",
        "asked_at",
    ),
    _connection.defect("F08 redirects of the feed are followed", "follow_redirects=False", "follow_redirects=True"),
    _connection.defect("Z74 an endless page is read to its end", "if len(received) > LARGEST_ANSWER:", "if False:"),
    _connection.defect("Z75 a silent connection holds the feed", "asyncio.timeout(deadline)", "asyncio.timeout(None)"),
    _kept.defect(
        "Others may write what a verifier goes by",
        "if status.st_uid != os.geteuid() or status.st_mode & _OTHERS:",
        "if False:",
    ),
    _kept.defect(
        "Others may read what a verifier keeps", "os.O_EXCL | os.O_CLOEXEC, 0o600)", "os.O_EXCL | os.O_CLOEXEC, 0o644)"
    ),
    _kept.defect(
        "A torn file is gone by",
        'if first != _FORMAT + b" " + hashlib.sha256(rest).hexdigest().encode():',
        "if not first.startswith(_FORMAT):",
    ),
    _kept.defect(
        "Another issuer's file is gone by",
        "if (header.what, header.issuer) != (self._what, self._issuer):",
        "if False:",
    ),
    _kept.defect("A link in the folder is followed", "os.O_RDONLY | os.O_NOFOLLOW |", "os.O_RDONLY |"),
    _kept.defect(
        "A file of the future is fresh",
        'float("inf") if ago < -_CLOCKS_MAY_DIFFER else max(ago, 0.0)',
        "max(ago, 0.0)",
    ),
]
