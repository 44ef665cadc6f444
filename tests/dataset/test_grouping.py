"""Groups: what shares a video or a field's value stays together, by whatever way it is shared."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.dataset.grouping import group_samples
from videoguard.errors import UserError
from videoguard.manifests.sample import GuardAnnotation, Sample, Segment


def sample(name: str, answer: str = "squat - good", **fields: str | int) -> Sample:
    return Sample(name, Path(), "Which?", answer, name, fields=fields)


def digests(**same_as: str) -> dict[str, str]:
    """Content of the videos a to e; `b="a"` makes b a copy of a."""
    return {f"{name}.mp4": hashlib.sha256(same_as.get(name, name).encode()).hexdigest() for name in "abcde"}


def grouped(samples: list[Sample], media: dict[str, str], group_by: str) -> set[frozenset[str]]:
    return {frozenset(s.id for s in group.samples) for group in group_samples(samples, media, group_by)}


def test_by_video_a_copy_under_another_name_is_the_same_video():
    samples = [sample("a.mp4"), sample("b.mp4"), sample("c.mp4")]
    groups = group_samples(samples, digests(b="a"), "video")
    assert [[s.id for s in group.samples] for group in groups] == [["a.mp4", "b.mp4"], ["c.mp4"]]
    assert groups[0].name == hashlib.sha256(b"a").hexdigest()
    assert groups[0].description == "one source video"


def guarded(name: str, *clips: str) -> Sample:
    segments = tuple(Segment((), video=f"{clip}.mp4") for clip in clips)
    return Sample(name, Path(), "Safe?", None, name, guard=GuardAnnotation((), segments))


def test_guarded_videos_that_share_a_clip_stay_together_also_under_another_name():
    samples = [guarded("one", "a", "b"), guarded("two", "c", "d"), guarded("three", "b", "e"), guarded("four", "d")]
    assert grouped(samples, digests(), "video") == {frozenset({"one", "three"}), frozenset({"two", "four"})}
    assert grouped(samples, digests(c="a"), "video") == {frozenset({"one", "two", "three", "four"})}


def test_by_a_field_the_videos_of_one_value_stay_together():
    samples = [sample("a.mp4", subject=7), sample("b.mp4", subject="p2"), sample("c.mp4", subject="7")]
    assert grouped(samples, digests(), "subject") == {frozenset({"a.mp4", "c.mp4"}), frozenset({"b.mp4"})}


def test_values_that_share_a_video_are_one_group_also_in_a_row():
    # p1 and p2 share the content of a and b, p2 and p3 that of c and d.
    subjects = {"a": "p1", "b": "p2", "c": "p2", "d": "p3", "e": "p4"}
    samples = [sample(f"{name}.mp4", subject=subject) for name, subject in subjects.items()]
    groups = group_samples(samples, digests(b="a", d="c"), "subject")
    assert [[s.id for s in group.samples] for group in groups] == [["a.mp4", "b.mp4", "c.mp4", "d.mp4"], ["e.mp4"]]
    assert [group.description for group in groups] == ["subject p1 and p2 and p3 (which share videos)", "subject p4"]


def test_the_names_of_groups_do_not_depend_on_the_order_or_on_other_groups():
    samples = [sample("a.mp4", subject="p1"), sample("b.mp4", subject="p2")]
    before = {group.description: group.name for group in group_samples(samples, digests(), "subject")}
    more = [sample("c.mp4", subject="p0"), *samples[::-1]]
    after = {group.description: group.name for group in group_samples(more, digests(), "subject")}
    assert {name: after[name] for name in before} == before
    assert all(len(name) == 64 and int(name, 16) >= 0 for name in after.values())


def test_samples_without_the_field_are_named():
    samples = [sample("a.mp4", subject="p1"), *(sample(f"{name}.mp4") for name in "bcde")]
    with pytest.raises(UserError) as refused:
        group_samples(samples, digests(), "subject")
    assert str(refused.value) == (
        "dataset.group_by is subject: 4 of 5 samples have no field subject (b.mp4, c.mp4, d.mp4, …); "
        "add it to the manifest, or group by video"
    )


def test_the_label_of_a_group_is_its_commonest():
    samples = [sample("a.mp4", answer, subject="p") for answer in ("squat - a", "lunge - b", "lunge - c", "What? I see.")]
    samples.append(sample("b.mp4", "What? I see.", subject="q"))
    assert [group.label for group in group_samples(samples, digests(), "subject")] == ["lunge", None]
    tied = [sample("a.mp4", answer) for answer in ("squat - a", "lunge - b")]
    assert group_samples(tied, digests(), "video")[0].label == "lunge"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_no_two_groups_share_a_value_or_a_video(pairs, chance):
    samples = [
        Sample(f"{place}", Path(), "q", "a", f"{place}.mp4", fields={"subject": subject})
        for place, (subject, _) in enumerate(pairs)
    ]
    media = {f"{place}.mp4": f"{content}" for place, (_, content) in enumerate(pairs)}
    groups = group_samples(samples, media, "subject")
    for field in (lambda s: s.fields["subject"], lambda s: media[s.video]):
        seen = [{field(s) for s in group.samples} for group in groups]
        assert sum(map(len, seen)) == len(set().union(*seen))
    mixed = list(samples)
    chance.shuffle(mixed)
    assert {(g.name, frozenset(s.id for s in g.samples)) for g in group_samples(mixed, media, "subject")} == {
        (g.name, frozenset(s.id for s in g.samples)) for g in groups
    }
