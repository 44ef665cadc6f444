"""Rules against scores: what is kept, what is left out, and in which words."""

from pathlib import Path

import numpy as np
import pytest

from videoguard.config import QualitySection
from videoguard.errors import UserError
from videoguard.quality.judging import MeasuredVideo, count_by_class, judge_videos, label_of, require_kept
from videoguard.quality.motion import classify, lay_over
from videoguard.quality.scores import FrameScores

QVED = QualitySection(min_width=640, min_height=360, min_brightness=35, max_brightness=190, min_sharpness=50, min_motion=0.3)


def measured(video, label="squat", width=640, height=480, bits=None, **scores) -> MeasuredVideo:
    fine = {"brightness": 100.0, "sharpness": 80.0, "motion": 0.8, "change": 0.1, "black": 0.0, "frozen": 0.0}
    bits = np.array([hash(video) & 0xFFFFFFFF] * 4, np.uint64) if bits is None else np.array(bits, np.uint64)
    return MeasuredVideo(video, label, 1, width, height, FrameScores(**(fine | scores)), bits)


def reasons(videos, rules) -> dict[str, dict[str, str]]:
    return {video.video: video.reasons for video in judge_videos(videos, rules) if not video.kept}


def test_without_rules_every_video_is_kept():
    poor = measured("poor", width=16, brightness=0.0, sharpness=0.0, motion=0.0, black=1.0, frozen=1.0)
    assert reasons([poor, measured("twin", bits=poor.hash)], QualitySection()) == {}


@pytest.mark.parametrize(
    ("change", "rule", "reason"),
    [
        ({"width": 639}, "min_width", "width 639 is below 640"),
        ({"height": 359}, "min_height", "height 359 is below 360"),
        ({"brightness": 34.9}, "min_brightness", "brightness 34.9 is below 35"),
        ({"brightness": 190.1}, "max_brightness", "brightness 190.1 is above 190"),
        ({"sharpness": 49.0}, "min_sharpness", "sharpness 49 is below 50"),
    ],
)
def test_each_rule_of_the_qved_tools_leaves_out_what_breaks_it(change, rule, reason):
    assert reasons([measured("bad", **change), measured("good")], QVED) == {"bad": {rule: reason}}


def test_a_value_at_its_limit_is_kept():
    at = [measured("dark", width=640, height=360, brightness=35.0, sharpness=50.0), measured("bright", brightness=190.0)]
    assert reasons([*at, measured("slow", motion=0.3)], QVED) == {}


def test_every_broken_rule_is_told():
    told = reasons([measured("bad", width=320, height=240, brightness=10.0)], QVED)
    assert list(told["bad"]) == ["min_width", "min_height", "min_brightness"]


def test_black_and_frozen_videos_are_left_out():
    rules = QualitySection(max_black=0.5, max_frozen=0.9)
    told = reasons([measured("black", black=0.625), measured("frozen", frozen=1.0), measured("good", black=0.5)], rules)
    assert told == {
        "black": {"max_black": "share of black frames 0.625 is above 0.5"},
        "frozen": {"max_frozen": "share of frozen frames 1 is above 0.9"},
    }


def test_motion_is_asked_of_classes_that_move_and_not_of_those_that_hold():
    moving = [measured(f"squat {number}", motion=share) for number, share in enumerate((0.9, 0.7, 0.0))]
    held = [measured(f"plank {number}", "plank", motion=share) for number, share in enumerate((0.1, 0.0, 0.9))]
    assert reasons([*moving, *held], QVED) == {"squat 2": {"min_motion": "motion 0 is below 0.3"}}
    kinds = {video.video: video.kind for video in judge_videos([*moving, *held], QVED)}
    assert set(kinds.values()) == {"motion", "hold"}
    assert kinds["plank 2"] == "hold"


def test_a_recipe_may_say_which_classes_move():
    videos = [measured("a", "Push-Up", motion=0.0), measured("b", "plank", motion=0.9), measured("c", "plank", motion=0.1)]
    rules = QVED.model_copy(update={"motion": ("push up",), "hold": ("Plank",)})
    assert list(reasons(videos, rules)) == ["a"]


def test_videos_without_a_class_are_a_class_of_their_own():
    videos = [measured("a", None, motion=0.9), measured("b", None, motion=0.9), measured("c", None, motion=0.0)]
    assert list(reasons(videos, QVED)) == ["c"]


def test_a_video_of_one_frame_breaks_no_rule_that_it_has_no_score_for():
    one = measured("one", motion=None, change=None, frozen=None)
    assert reasons([one], QVED.model_copy(update={"max_frozen": 0.0})) == {}


def test_of_copies_a_good_one_stays_though_a_bad_one_comes_first():
    bits = [1, 2, 3, 4]
    videos = [
        measured("a", bits=bits, brightness=10.0),
        measured("b", bits=bits),
        measured("c", bits=bits),
        measured("d", bits=[~0 & 0xFFFFFFFFFFFFFFFF] * 4),
    ]
    told = reasons(videos, QVED.model_copy(update={"max_likeness": 0.9}))
    assert list(told) == ["a", "c"]
    assert told["c"] == {"max_likeness": "it looks like b: 100.0% of the bits of their hashes agree"}


def test_the_order_of_the_videos_does_not_matter():
    videos = [measured(name, bits=[1, 2, 3, 4]) for name in "dbca"]
    rules = QualitySection(max_likeness=0.9)
    assert judge_videos(videos, rules) == judge_videos(videos[::-1], rules)
    assert [video.video for video in judge_videos(videos, rules)] == ["a", "b", "c", "d"]


def test_a_class_moves_where_half_of_its_videos_do():
    scores: dict[str | None, list[float | None]] = {
        "a": [0.3, 0.0],
        "b": [0.3, 0.0, 0.0],
        "c": [None],
        "d": [None, 0.1],
        None: [0.29],
    }
    kinds = classify(scores)
    assert kinds == {"a": "motion", "b": "hold", "c": "motion", "d": "hold", None: "hold"}
    assert lay_over(kinds, ["B", "nowhere"], ["a"]) == {**kinds, "a": "hold", "b": "motion"}


def test_the_label_of_a_video_is_what_most_of_its_samples_name():
    assert label_of(["squat", None, "plank", "squat"]) == "squat"
    assert label_of(["squat", "plank"]) == "plank"
    assert label_of([None, None]) is None
    assert label_of([]) is None


def test_classes_are_counted_by_what_became_of_their_videos():
    videos = [measured("a"), measured("b", brightness=1.0), measured("c", None), measured("d", "plank")]
    counts = count_by_class(judge_videos(videos, QVED))
    assert list(counts) == ["plank", "squat", None]
    assert dict(counts["squat"]) == {"videos": 2, "kept": 1, "min_brightness": 1}


def test_rules_that_leave_nothing_are_refused_with_what_they_break():
    judged = judge_videos([measured("a", brightness=1.0), measured("b", brightness=2.0, width=10)], QVED)
    with pytest.raises(UserError) as refused:
        require_kept(judged, Path("list.json"))
    assert str(refused.value) == (
        "list.json: the rules of quality leave out all of its 2 videos, by min_brightness (2), min_width (1); loosen them"
    )
    require_kept(judge_videos([measured("a")], QVED), Path("list.json"))
