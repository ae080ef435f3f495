"""The Valkey or Redis server through which workers share their limits, and what it is asked.

It keeps what each bucket lacks, in microseconds, and when that was so, by its own clock: those of the workers don't
matter, and while its own is set back nothing comes back, which is all that happens. A bucket that is full is gone by
itself. The names of keys hold digests: no address and no ID can be read there.
"""

import hashlib
import re
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sensos_auth.model.errors import SensosAuthError
from sensos_auth.server.limits_url import LimitsUrl
from sensos_auth.server.shared_buckets import LONGEST, Told

# All in one slot (the braces), so that a cluster behind one address takes them as well.
PREFIX = "sensos-auth:{limits}:"
_DIGEST_SIZE = 16  # bytes
# Buckets in one call: half a millisecond, in which the server answers nobody else, and our event loop waits for us.
_MOST_AT_ONCE = 200
_TIMEOUT = LONGEST / 1_000_000_000
_CODE = re.compile(r"[A-Z]{2,20}\b")
# Adds what was taken to what each bucket lacked, or takes what this worker knows where that is more: the one is right
# where the bucket was not full in between, the other where it was. A bucket that is full again lacks less than nothing,
# which is kept for as long as somebody may not have told yet what he took before.
_ADD = f"""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local lacking = {{}}
local told = string.gmatch(ARGV[1], '(%d+) (-?%d+)')
for number, key in ipairs(KEYS) do
  local taken, lacks = told()
  taken, lacks = tonumber(taken), tonumber(lacks)
  local at, lacked = string.match(redis.call('GET', key) or '', '^(%d+) (-?%d+)$')
  if at then
    lacks = math.max(lacks, lacked - math.max(0, now - at) + taken)
  end
  local keep = math.ceil(lacks / 1000) + {LONGEST // 1_000_000}
  if keep > 0 then
    redis.call('SET', key, string.format('%.0f %.0f', now, lacks), 'PX', string.format('%.0f', keep))
  end
  lacking[number] = lacks
end
return lacking
"""
_LACKS_PERMISSION = "its user lacks one of the permissions +eval +get +set +time ~sensos-auth:*"
# By what the library raises, the more special before the more general; and by what the server's text has in it.
_REASONS: dict[type[Exception], str] = {
    redis.exceptions.NoPermissionError: _LACKS_PERMISSION,
    redis.AuthenticationError: "it refuses the user or the password",
    redis.TimeoutError: f"it does not answer within {_TIMEOUT:.0f} s",
    redis.BusyLoadingError: "it is still loading",
    redis.OutOfMemoryError: "its memory is full",
    redis.ReadOnlyError: "it is a replica, and can't be written to",
    redis.exceptions.MovedError: "it is one node of a cluster, which can't be used",
}
_PHRASES = {
    "user executing the script": _LACKS_PERMISSION,
    "ACL failure": _LACKS_PERMISSION,
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted, or is of another name",
    "DB index": "it has no database of this number",
}


class LimitsNotShared(SensosAuthError):
    """The server was of no use; the text says why, and holds nothing that it or anybody sent."""


class LimitsServer:
    """A connection, which is good until the first error. ``issuer`` keeps deployments on one server apart."""

    def __init__(self, url: LimitsUrl, issuer: str) -> None:
        """Connect, and see whether buckets can be written; raises LimitsNotShared, after 2 seconds at most.

        A name that takes long to be looked up can make it longer.
        """
        self._digest = hashlib.blake2b(digest_size=_DIGEST_SIZE, key=hashlib.sha256(issuer.encode()).digest())
        self._client = redis.Redis(
            host=url.host,
            port=url.port,
            db=url.database,
            username=url.user,
            password=url.password,
            ssl=url.is_encrypted,
            socket_connect_timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            # Nothing is said that the user must be allowed beside: no HELLO, no CLIENT.
            protocol=2,
            driver_info=None,
        )
        try:
            self.add("check", [Told("", 0, 1)])
        except BaseException:
            self.close()
            raise

    def add(self, limit: str, told: Sequence[Told]) -> list[int]:
        """Add what was taken from buckets of the limit of that name; return how many microseconds each one lacks now.

        Raises LimitsNotShared, and then some may have been added.
        """
        lacking: list[int] = []
        for some in _some_at_once(told):
            keys = [self._key(limit, key) for key, _, _ in some]
            numbers = b" ".join(b"%d %d" % (taken, lacks) for _, taken, lacks in some)
            try:
                answer = self._client.eval(_ADD, len(keys), *keys, numbers)
            except (redis.RedisError, OSError) as error:
                raise LimitsNotShared(_reason(error)) from None
            lacking.extend(answer)
        return lacking

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _key(self, limit: str, key: Hashable) -> bytes:
        digest = self._digest.copy()
        digest.update(repr(key).encode())
        return f"{PREFIX}{limit}:{digest.hexdigest()}".encode()


def _some_at_once(told: Sequence[Told]) -> Iterator[Sequence[Told]]:
    rest = iter(told)
    while some := list(islice(rest, _MOST_AT_ONCE)):
        yield some


def _reason(error: Exception) -> str:
    """Return why, in words of ours: an error's text may hold what the server sent, or what was sent to it."""
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    for phrase, reason in _PHRASES.items():
        if phrase in str(error):
            return reason
    if not isinstance(error, redis.ResponseError):
        return "it can't be connected to, or hangs up"
    code = _CODE.match(str(error))
    return f"it answers with the error {code[0]}" if code else "it answers with an error"
