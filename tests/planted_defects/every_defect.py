"""All planted defects."""

from tests.planted_defects import in_claims, in_feed, in_keys, in_lease, in_memory, in_tokens, in_upgrades
from tests.planted_defects.defect import Defect

EVERY_DEFECT: list[Defect] = [
    defect
    for room in (in_tokens, in_claims, in_keys, in_memory, in_feed, in_lease, in_upgrades)
    for defect in room.DEFECTS
]
