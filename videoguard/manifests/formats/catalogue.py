"""Every format that is read and written."""

from collections.abc import Mapping

from videoguard.manifests.formats import (
    classes,
    conversations,
    feedbacks,
    fine_grained,
    flat,
    guard_clips,
    guard_live,
    instruction,
    messages,
    sharegpt,
    world,
)
from videoguard.manifests.formats.format import ManifestFormat

# In the order in which they are tried: a format that is told by more fields stands before one that is told by fewer.
_ORDERED = (
    sharegpt,
    messages,
    conversations,
    flat,
    instruction,
    guard_clips,
    guard_live,
    feedbacks,
    fine_grained,
    world,
    classes,
)

FORMATS: Mapping[str, ManifestFormat] = {module.FORMAT.name: module.FORMAT for module in _ORDERED}

NESTED_FIELDS = frozenset().union(*(known.nested for known in FORMATS.values()))
"""Fields that hold a list or an object: in a cell of a table they are JSON."""


def recognise(row: Mapping[str, object]) -> ManifestFormat | None:
    """The format that a row is meant to be in; None where no format has its fields."""
    return next((known for known in FORMATS.values() if known.recognises(row)), None)
