"""What the streaming guard learns from and is tested on, against conversations written by hand."""

from pathlib import Path

import pytest

from videoguard.dataset.building import build_dataset, messages_of, read_split
from videoguard.dataset.guard import GuardedVideo, guarded_video
from videoguard.dataset.guard_texts import (
    ClipNote,
    choose_clips,
    clip_conversation,
    closing_answer,
    frame_answer,
    read_response,
    read_summary,
    response_conversation,
)
from videoguard.manifests.formats.guard_categories import QUESTION, response
from videoguard.manifests.sample import GuardAnnotation, Sample, Segment

GUARDRAIL = (
    '{"C1(Sexual Content)": false, "C2(Harassment & Bullying)": false, "C3(Threats, Violence & Harm)": true, '
    '"C4(False & Deceptive Information)": false, "C5(Illegal/Regulated Activities)": false, '
    '"C6(Hateful Content & Extremism)": false}'
)


def sample(identifier: str, guard: GuardAnnotation, answer: str | None = None, split=None) -> Sample:
    return Sample(
        identifier, Path(), QUESTION, answer, video=f"{identifier}.mp4", label="+".join(guard.labels) or "safe",
        guard=guard, split=split,
    )  # fmt: skip


def in_clips(identifier: str, split=None) -> Sample:
    """Two clips: three safe frames, then two of violence."""
    segments = (
        Segment((), 0.0, 3.0, f"{identifier}-1.mp4", "Two men talk."),
        Segment(("C3",), 3.0, 5.0, f"{identifier}-2.mp4", "One man hits the other."),
    )
    return sample(identifier, GuardAnnotation(("C3",), segments, "A fight."), response("A fight.", ["C3"]), split)


def times_of(clip: str) -> list[float]:
    return [0.0, 1.0, 2.0] if clip.endswith("-1.mp4") else [0.0, 1.0]


def written(messages) -> list[str]:
    """Each message as one text; an image is `[image]`."""
    return [
        f"{message['role']}: "
        + "".join(part["text"] if part["type"] == "text" else "[image]" for part in message["content"])
        for message in messages
    ]


def test_answers_to_a_frame_stand_as_the_design_writes_them():
    assert frame_answer(()) == "<label><safe><continue></label>"
    assert frame_answer(("C6", "C3")) == "<label><unsafe:C3><unsafe:C6><continue></label>"
    assert closing_answer(("C3",), "A fight.") == "<label><unsafe:C3></label><summary>A fight.</summary>"
    assert closing_answer((), None) == "<label><safe></label>"


def test_a_clip_is_asked_frame_by_frame_after_the_text_of_the_clips_before_it():
    earlier = [ClipNote((), "Two men talk.")]
    assert written(clip_conversation("<streaming_analysis> Judge.", "Be strict.", earlier, [(), ("C3",)], "A fight.")) == [
        "system: Be strict.",
        "user: <streaming_analysis> Judge.\n<label><safe></label><summary>Two men talk.</summary>\n[image]",
        "assistant: <label><safe><continue></label>",
        "user: [image]",
        "assistant: <label><unsafe:C3></label><summary>A fight.</summary>",
    ]


def test_the_end_is_asked_from_the_text_of_the_clips_without_their_images():
    clips = [ClipNote((), "Two men talk."), ClipNote(("C3",), "A fight.")]
    assert written(response_conversation("<streaming_analysis> Judge.", None, clips, response("A fight.", ["C3"]))) == [
        "user: <streaming_analysis> Judge.\n<label><safe></label><summary>Two men talk.</summary>\n"
        "<label><unsafe:C3></label><summary>A fight.</summary>\n<|vision_end|>",
        f"assistant: <response>DESCRIPTION: A fight. GUARDRAIL: {GUARDRAIL}</response>",
    ]


def test_a_video_in_clips_is_learnt_clip_by_clip_and_at_its_end_and_tested_whole(tmp_path):
    samples = [in_clips("a", "train"), in_clips("b", "validation"), in_clips("c", "test")]
    digests = {f"{name}-{number}.mp4": f"{place}{number}" * 32 for place, name in enumerate("abc") for number in (1, 2)}
    rule = {"validation": 0.1, "test": 0.1, "seed": 0, "system_prompt": None, "question": None, "times_of": times_of}
    counts = build_dataset(samples, digests, **rule, folder=tmp_path / "set")  # type: ignore[arg-type]
    assert counts == {"train": 3, "validation": 3, "test": 1}
    rows = list(read_split(tmp_path / "set", "train"))
    assert [(row["id"], row["video"]) for row in rows] == [
        ("a#clip-1", "a-1.mp4"), ("a#clip-2", "a-2.mp4"), ("a#response", None),
    ]  # fmt: skip
    assert written(messages_of(rows[1]))[-3:] == [
        "assistant: <label><unsafe:C3><continue></label>",
        "user: [image]",
        "assistant: <label><unsafe:C3></label><summary>One man hits the other.</summary>",
    ]
    (test,) = read_split(tmp_path / "set", "test")
    video = GuardedVideo.model_validate_json(test["guard"])
    assert (test["id"], test["video"], test["answer"]) == ("c", "c.mp4", response("A fight.", ["C3"]))
    assert [(clip.video, clip.times, clip.frames) for clip in video.clips] == [
        ("c-1.mp4", (0.0, 1.0, 2.0), ((), (), ())),
        ("c-2.mp4", (3.0, 4.0), (("C3",), ("C3",))),
    ]
    assert [(span.category, span.start, span.end) for span in video.spans] == [("C3", 3.0, 5.0)]


def test_a_video_is_left_out_where_one_of_its_clips_has_no_frames(tmp_path):
    samples = [in_clips(name) for name in "abcdef"]
    digests = {f"{name}-{number}.mp4": f"{place}{number}" * 32 for place, name in enumerate("abcdef") for number in (1, 2)}
    del digests["d-2.mp4"]
    rule = {"validation": 0.0, "test": 0.4, "seed": 0, "system_prompt": None, "question": None, "times_of": times_of}
    counts = build_dataset(samples, digests, **rule, folder=tmp_path / "set")  # type: ignore[arg-type]
    assert counts["train"] / 3 + counts["test"] == 5


def test_frames_of_a_live_video_are_unsafe_within_its_segments():
    live = sample("live", GuardAnnotation(("C3", "C6"), (Segment(("C3",), 1.0, 3.0), Segment(("C6",), 2.0, 3.5))))
    video = guarded_video(live, lambda clip: [0.0, 1.0, 2.0, 3.0, 4.0])
    (clip,) = video.clips
    assert clip.frames == ((), ("C3",), ("C3", "C6"), ("C6",), ())
    assert clip.summary is None
    assert [(span.category, span.start, span.end) for span in video.spans] == [("C3", 1.0, 3.0), ("C6", 2.0, 3.5)]


def test_a_live_video_without_segments_has_its_labels_throughout():
    video = guarded_video(sample("all", GuardAnnotation(("C5",))), lambda clip: [0.0, 1.0])
    assert video.clips[0].frames == (("C5",), ("C5",))
    assert [(span.start, span.end) for span in video.spans] == [(0.0, 2.0)]


def test_clips_without_a_time_range_follow_each_other():
    segments = (Segment((), video="x-1.mp4"), Segment(("C3",), video="x-2.mp4"), Segment(("C3",), video="x-3.mp4"))
    video = guarded_video(sample("x", GuardAnnotation(("C3",), segments)), times_of)
    assert [clip.times for clip in video.clips] == [(0.0, 1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]
    assert [(span.start, span.end) for span in video.spans] == [(3.0, 7.0)]


@pytest.mark.parametrize(
    ("text", "description", "labels"),
    [
        (response("A fight.", ["C3"]), "A fight.", ("C3",)),
        (response(None, []), None, ()),
        ('DESCRIPTION: a GUARDRAIL: {"C1": true, "C2": false, "C3": false, "C4": false, "C5": false, "C6": true}', "a",
         ("C1", "C6")),
        ('GUARDRAIL: {"C1": true}', None, None),
        ("GUARDRAIL: {broken}", None, None),
        ("torso torso", None, None),
    ],
)  # fmt: skip
def test_a_verdict_is_read_where_it_names_all_six(text, description, labels):
    verdict = read_response(text)
    assert (verdict.description, verdict.labels) == (description, labels)


def test_a_summary_is_read_though_it_was_cut_off():
    assert read_summary("<label><safe></label><summary>Two men\n talk.</summary>") == "Two men talk."
    assert read_summary("<label><safe></label><summary>Two men") == "Two men"
    assert read_summary("<label><safe></label>") is None


def test_of_many_clips_the_unsafe_ones_are_kept_and_the_latest_safe_ones():
    clips = [ClipNote(("C3",) if place in {0, 5} else (), str(place)) for place in range(10)]
    assert [clip.summary for clip in choose_clips(clips, 4)] == ["0", "5", "8", "9"]
    assert [clip.summary for clip in choose_clips(clips, 1)] == ["5"]
