"""``If-Match``: a change is made only to what its author has seen (RFC 9110 section 13.1.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sensos_auth.model.errors import InvalidInput
from sensos_auth.server.answers import Refusal, error_answer
from sensos_auth.server.management.replies import entity_tag

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_LONGEST = 1024
_CHANGED = error_answer(
    412, "It was changed since you read it: read it again, and repeat your change on what it is now if that is right"
)


@dataclass(frozen=True, slots=True)
class Precondition:
    """The entity tags that a change is bound to, none where it is bound to nothing but being there."""

    tags: frozenset[str] | None

    def check(self, version: int) -> None:
        """Raise Refusal (412) unless what was changed last at this registry version is what the client has seen."""
        # The comparison is the strong one: a weak tag matches nothing.
        if self.tags is not None and entity_tag(version) not in self.tags:
            raise Refusal(_CHANGED)


def parse_if_match(values: Sequence[str]) -> Precondition:
    """Return what the ``If-Match`` fields of a request say; raises InvalidInput."""
    written = ", ".join(values)
    if not written or written.strip() == "*":
        return Precondition(None)
    if len(written) > _LONGEST or not _TAGS.fullmatch(written):
        raise InvalidInput('If-Match holds entity tags as the header ETag shows them: "1764082812345"')
    return Precondition(frozenset(re.findall(_TAG, written)))
