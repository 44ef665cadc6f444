"""Groups: the samples that must stay in one split."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from videoguard.digests import digest_json
from videoguard.errors import UserError
from videoguard.manifests.labels import label_of
from videoguard.manifests.sample import Sample

BY_VIDEO = "video"
"""Group by content: that of the video or images, or of the text where nothing is shown."""
_NAMED = 3


@dataclass(frozen=True)
class Group:
    """Samples that share their source."""

    name: str
    """64 hexadecimal digits."""
    description: str
    """As a message names it."""
    samples: tuple[Sample, ...]

    @property
    def label(self) -> str | None:
        """The commonest label of its samples, the first by name among equals; None where none has any."""
        labels = Counter(label for label in map(label_of, self.samples) if label is not None)
        return min(labels, key=lambda label: (-labels[label], label), default=None)


def content_of(sample: Sample, media_digests: Mapping[str, str]) -> str | None:
    """Digest of what a sample shows, or of what it asks where it shows nothing; None where a medium of it has no digest."""
    if sample.clips:
        found = [media_digests.get(clip) for clip in sample.clips]
        if len(found) == 1 or None in found:
            return found[0] if len(found) == 1 else None
        return digest_json(found)
    said = [[exchange.question, exchange.answer] for exchange in sample.history]
    return digest_json([sample.system, said, sample.question])


def group_samples(samples: Sequence[Sample], media_digests: Mapping[str, str], group_by: str) -> list[Group]:
    """The groups of samples, in the order of their first ones.

    The same content under two names is one video, and videos that are cut into clips are one group where they share
    a clip. With a field of the manifest, the samples of one value are a group; where two values share a video, they are one
    group together, since a split between them would leak it.

    Args:
        samples: all with a `content_of` their own.
        media_digests: content digest by name of the clip.
        group_by: `video`, or the name of a field.

    Raises:
        UserError: samples lack the field.
    """
    found = [content_of(sample, media_digests) for sample in samples]
    contents = [content for content in found if content is not None]
    shared = [_shared(sample, content, media_digests) for sample, content in zip(samples, contents, strict=True)]
    if group_by == BY_VIDEO:
        values = contents
    else:
        require_field(samples, group_by)
        values = [str(sample.fields[group_by]) for sample in samples]
    joined = _join(values, shared)
    by_values: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample, value in zip(samples, values, strict=True):
        by_values[joined[value]].append(sample)
    if group_by == BY_VIDEO:
        return [Group(together[0], _describe_content(members), tuple(members)) for together, members in by_values.items()]
    return [
        # By the first of its values: the others do not move the group.
        Group(digest_json([group_by, together[0]]), _describe(group_by, together), tuple(members))
        for together, members in by_values.items()
    ]


def require_field(samples: Sequence[Sample], group_by: str) -> None:
    """Raise `UserError` where samples lack the field that they are to be grouped by."""
    lacking = [sample.id for sample in samples if group_by != BY_VIDEO and group_by not in sample.fields]
    if lacking:
        named = ", ".join(lacking[:_NAMED]) + (", …" if len(lacking) > _NAMED else "")
        raise UserError(
            f"dataset.group_by is {group_by}: {len(lacking)} of {len(samples)} samples have no field {group_by} ({named}); "
            "add it to the manifest, or group by video"
        )


def _shared(sample: Sample, content: str, media_digests: Mapping[str, str]) -> list[str]:
    """Digests that another sample may share with this one: those of the clips that it is cut into, else of its content."""
    return [media_digests[clip] for clip in sample.clips] if len(sample.clips) > 1 else [content]


def _join(values: Sequence[str], digests: Sequence[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """For each value the sorted values that it is one group with: itself, and those that share videos with it."""
    parent = {value: value for value in values}

    def root(value: str) -> str:
        while parent[value] != value:
            parent[value] = value = parent[parent[value]]
        return value

    first_with: dict[str, str] = {}
    for value, shared in zip(values, digests, strict=True):
        for digest in shared:
            parent[root(value)] = root(first_with.setdefault(digest, value))
    members: dict[str, set[str]] = defaultdict(set)
    for value in parent:
        members[root(value)].add(value)
    return {value: tuple(sorted(members[root(value)])) for value in parent}


def _describe_content(members: Sequence[Sample]) -> str:
    if members[0].clip is None:
        return "one question"
    return "videos that share clips" if any(len(sample.clips) > 1 for sample in members[1:]) else "one source video"


def _describe(group_by: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"{group_by} {values[0]}"
    return f"{group_by} {' and '.join(values)} (which share videos)"
