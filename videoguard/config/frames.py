"""How a video becomes stored frames."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videoguard.config.section import PositiveFloat, PositiveInt, Section


class FrameLimits(Section):
    """The largest source video that is decoded: one whose header claims more is quarantined before any of it is decoded."""

    longest_side: PositiveInt = 8192
    """Longer side of a source frame, pixels."""
    pixels: PositiveInt = 36_000_000
    """Width times height of a source frame; 8K (7680 × 4320) is 33,177,600."""
    duration_s: PositiveFloat = 14_400.0
    """Length of a source video, seconds."""
    frames: PositiveInt = 1_000_000
    """Frames of a source video."""


class FramesSection(Section):
    """How a video becomes stored frames. Shared by training, inference, evaluation and report."""

    sampling: Literal["uniform", "first_to_last", "fps", "stride"] = "uniform"
    """By real timestamps: `uniform`, the middles of `count` equal spans of the whole clip; `first_to_last`, `count` equal
    steps from the first frame to the last; `fps`, so many a second, and `count` uniform ones of a clip that has more;
    `stride`, each `stride`-th frame from the first on, closer together where a clip is too short for `count`."""
    count: PositiveInt = 8
    """Frames taken of a video, the most with `fps`; a shorter video gives the distinct frames that it has."""
    fps: PositiveFloat | None = None
    """With `sampling: fps`: frames per second."""
    stride: PositiveInt | None = None
    """With `sampling: stride`: 1 takes each frame, 2 every other."""
    resize: Literal["fit", "pixels", "cover", "exact"] = "fit"
    """`fit` scales down to `max_side` and `pixels` to `max_pixels`, both in the source's shape and never up; `cover` fills
    `width` by `height` and cuts off what is over on both sides; `exact` stretches to `width` by `height`."""
    max_side: PositiveInt = 640
    """Longest side of a stored frame, pixels; larger frames are scaled down, smaller ones are kept as they are."""
    max_pixels: PositiveInt | None = None
    """With `resize: pixels`: most pixels of a stored frame, width times height."""
    width: PositiveInt | None = None
    """With `resize: cover` or `exact`: width of a stored frame, pixels."""
    height: PositiveInt | None = None
    """With `resize: cover` or `exact`: height of a stored frame, pixels."""
    codec: Literal["jpeg", "png"] = "jpeg"
    """How stored frames are encoded; `png` is lossless."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95
    """Quality of stored JPEG frames."""
    shards: PositiveInt = 8
    """Files that the videos are spread over by content digest."""
    workers: PositiveInt = 2
    """Processes that decode."""
    timeout_s: PositiveFloat = 120.0
    """Longest time that one video may take to decode, seconds."""
    memory_mb: PositiveInt = 2048
    """Most memory that decoding one video may take, MiB; the decoding processes together take `workers` times that."""
    limits: FrameLimits = FrameLimits()

    @model_validator(mode="after")
    def _rules_have_their_values(self) -> "FramesSection":
        belongs = {
            "fps": ("sampling", self.sampling, {"fps"}),
            "stride": ("sampling", self.sampling, {"stride"}),
            "max_pixels": ("resize", self.resize, {"pixels"}),
            "width": ("resize", self.resize, {"cover", "exact"}),
            "height": ("resize", self.resize, {"cover", "exact"}),
        }
        problems = []
        for name, (rule, chosen, users) in belongs.items():
            if (chosen in users) == (getattr(self, name) is not None):
                continue
            if chosen in users:
                problems.append(f"{rule} is {chosen!r}: {name} must be given with it")
            else:
                meant = " or ".join(f"{rule}: {user}" for user in sorted(users))
                problems.append(f"{name} is {getattr(self, name)}, {rule} is {chosen!r}: {name} goes with {meant} alone")
        if problems:
            raise ValueError("; ".join(problems))
        return self
