"""Which artifacts came from which."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from videoguard.artifacts.records import ArtifactRecord

RESULTS = frozenset({"report", "publish"})
"""Steps that end a run."""


def children(records: Iterable[ArtifactRecord]) -> dict[str, list[ArtifactRecord]]:
    """The artifacts that were made from each artifact, by its `step/key`, in the order of `records`.

    A child names its parent by step and key, and by the digest of its content. An artifact of equal content under another
    key, made by newer code for example, counts as a parent too: a run that finds the child stored may have come from either.
    """
    listed = list(records)
    made_from: dict[str, dict[str, ArtifactRecord]] = defaultdict(dict)
    by_content = _by_content(listed)
    for child in listed:
        for parent, digest in child.parents.items():
            step = parent.partition("/")[0]
            for name in {parent, *by_content.get((step, digest), ())}:
                made_from[name][child.name] = child
    return {record.name: list(made_from[record.name].values()) for record in listed}


def descendants(name: str, by_parent: Mapping[str, list[ArtifactRecord]]) -> list[ArtifactRecord]:
    """All artifacts that came from the one called `name`, nearest first, of what `children` returned."""
    found: dict[str, ArtifactRecord] = {}
    waiting = [name]
    for parent in waiting:
        for child in by_parent.get(parent, []):
            if child.name not in found:
                found[child.name] = child
                waiting.append(child.name)
    return list(found.values())


def of_finished_runs(records: Iterable[ArtifactRecord]) -> set[str]:
    """`step/key` of the artifacts that end a run, and of all that they came from."""
    listed = list(records)
    by_name = {record.name: record for record in listed}
    by_content = _by_content(listed)
    reached = {record.name for record in listed if record.step in RESULTS}
    waiting = sorted(reached)
    for name in waiting:
        for parent, digest in by_name[name].parents.items():
            step = parent.partition("/")[0]
            near = {parent, *by_content.get((step, digest), ())} & by_name.keys()
            waiting.extend(sorted(near - reached))
            reached |= near
    return reached


def _by_content(records: Iterable[ArtifactRecord]) -> dict[tuple[str, str], list[str]]:
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        names[record.step, record.digest].append(record.name)
    return names
