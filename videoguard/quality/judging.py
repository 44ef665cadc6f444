"""Scores against rules: which videos are kept, and by which rules the others are left out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config import QualitySection
from videoguard.errors import UserError
from videoguard.quality.hashing import Hash, find_copies
from videoguard.quality.motion import Kind, classify, lay_over
from videoguard.quality.scores import FrameScores


@dataclass(frozen=True)
class MeasuredVideo:
    """What is known of a video before it is judged."""

    video: str
    label: str | None
    """The class that most of its samples name; None where they name none."""
    samples: int
    width: int
    """Of the source, pixels."""
    height: int
    scores: FrameScores
    hash: Hash


class JudgedVideo(BaseModel):
    """One video with its scores, and why it is left out where it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    video: str
    label: str | None
    kind: Kind
    """Whether its class moves or is held still."""
    samples: int
    width: int
    height: int
    brightness: float
    sharpness: float
    motion: float | None
    change: float | None
    black: float
    frozen: float | None
    reasons: dict[str, str]
    """What is wrong, by the rule that it breaks; empty for a video that is kept."""

    @property
    def kept(self) -> bool:
        """Whether the video breaks no rule."""
        return not self.reasons


def judge_videos(videos: Sequence[MeasuredVideo], rules: QualitySection) -> list[JudgedVideo]:
    """Every video with what the rules say of it, sorted by name.

    Copies are looked for among the videos that break no other rule, so that the one that is kept of them is a good one.
    """
    motion: dict[str | None, list[float | None]] = {}
    for video in videos:
        motion.setdefault(video.label, []).append(video.scores.motion)
    kinds = lay_over(classify(motion), rules.motion, rules.hold)
    reasons = {video.video: _broken(video, rules, kinds[video.label]) for video in videos}
    if rules.max_likeness is not None:
        good = {video.video: video.hash for video in videos if not reasons[video.video]}
        for copy, (first, share) in find_copies(good, rules.max_likeness).items():
            reasons[copy] = {"max_likeness": f"it looks like {first}: {share:.1%} of the bits of their hashes agree"}
    return [
        JudgedVideo(
            video=video.video,
            label=video.label,
            kind=kinds[video.label],
            samples=video.samples,
            width=video.width,
            height=video.height,
            **asdict(video.scores),
            reasons=reasons[video.video],
        )
        for video in sorted(videos, key=lambda video: video.video)
    ]


def require_kept(videos: Sequence[JudgedVideo], manifest: Path) -> None:
    """Raise `UserError` where no video is kept; its message counts the rules that they break."""
    if not videos or any(video.kept for video in videos):
        return
    broken = Counter(rule for video in videos for rule in video.reasons)
    counted = ", ".join(f"{rule} ({number})" for rule, number in broken.most_common())
    raise UserError(f"{manifest}: the rules of quality leave out all of its {len(videos)} videos, by {counted}; loosen them")


def label_of(names: Sequence[str | None]) -> str | None:
    """The class that most of a video's samples name, the first by name of equals."""
    counted = Counter(name for name in names if name is not None)
    return min(counted, key=lambda name: (-counted[name], name), default=None)


def count_by_class(videos: Sequence[JudgedVideo]) -> dict[str | None, Counter[str]]:
    """For each class its `videos`, its `kept` ones, and those that break each rule; sorted, without a class last."""
    counts: dict[str | None, Counter[str]] = {}
    for video in videos:
        counted = counts.setdefault(video.label, Counter())
        counted.update(["videos", *(["kept"] if video.kept else []), *video.reasons])
    return dict(sorted(counts.items(), key=lambda entry: (entry[0] is None, entry[0] or "")))


def _broken(video: MeasuredVideo, rules: QualitySection, kind: Kind) -> dict[str, str]:
    """What is wrong with a video by itself. An unscored value breaks no rule."""
    scores = video.scores
    asked_motion = rules.min_motion if kind == "motion" else None
    least: Mapping[str, tuple[str, float | None, float | None]] = {
        "min_width": ("width", video.width, rules.min_width),
        "min_height": ("height", video.height, rules.min_height),
        "min_brightness": ("brightness", scores.brightness, rules.min_brightness),
        "min_sharpness": ("sharpness", scores.sharpness, rules.min_sharpness),
        "min_motion": ("motion", scores.motion, asked_motion),
    }
    most: Mapping[str, tuple[str, float | None, float | None]] = {
        "max_brightness": ("brightness", scores.brightness, rules.max_brightness),
        "max_black": ("share of black frames", scores.black, rules.max_black),
        "max_frozen": ("share of frozen frames", scores.frozen, rules.max_frozen),
    }
    broken = {}
    for rule, (name, value, limit) in least.items():
        if value is not None and limit is not None and value < limit:
            broken[rule] = f"{name} {value:.4g} is below {limit:g}"
    for rule, (name, value, limit) in most.items():
        if value is not None and limit is not None and value > limit:
            broken[rule] = f"{name} {value:.4g} is above {limit:g}"
    return broken
