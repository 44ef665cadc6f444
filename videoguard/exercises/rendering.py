"""What the camera sees: one video's variation drawn from its seed, and its frames drawn from that."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from videoguard.exercises.motion import HEAD_RADIUS, LIMBS, LYING, SIDEWAYS, Points, joint_positions, pose_of

Colour = tuple[int, int, int]
Frames = npt.NDArray[np.uint8]

# Each limb has its own colour on a dark ground: a model of a million parameters tells left from right by it.
_LIMB_COLOURS: tuple[tuple[tuple[str, ...], Colour], ...] = (
    (("neck", "right_elbow", "right_hand"), (255, 150, 60)),
    (("hip", "right_knee", "right_foot"), (60, 220, 220)),
    (("hip", "neck"), (235, 235, 235)),
    (("hip", "left_knee", "left_foot"), (70, 130, 255)),
    (("neck", "left_elbow", "left_hand"), (255, 70, 70)),
)
_HEAD_COLOUR: Colour = (250, 210, 60)
_GROUND = 0.92
_GROUND_LINE = 0.94
_AHEAD = 0.1
_SUPERSAMPLING = 2
_NOISE = 3.0


@dataclass(frozen=True)
class Variation:
    """What sets one video of a class apart from the others."""

    repetitions: float
    start: float
    """Where in a repetition the clip begins, 0 to 1."""
    range_of_motion: float
    angle_errors: dict[str, float]
    """Constant error of each limb, degrees."""
    proportions: dict[str, float]
    """Length of each body part, relative to the usual one."""
    thickness: float
    """Of the limbs, in picture heights."""
    scale: float
    shift: float
    """Of the camera to the side, in picture widths."""
    mirrored: bool
    background: Colour
    noise_seed: int


def draw_variation(exercise: str, form: str, seed_key: str) -> Variation:
    """The variation of one video: a function of its class and seed alone, in whatever process and order it is asked for."""
    chance = random.Random(f"{exercise}|{form}|{seed_key}")
    return Variation(
        repetitions=chance.choice((1.0, 1.5, 2.0)),
        start=chance.random(),
        range_of_motion=chance.uniform(0.92, 1.06),
        angle_errors={limb: chance.uniform(-4.0, 4.0) for limb in LIMBS},
        proportions={part: chance.uniform(0.95, 1.05) for part in ("torso", "thigh", "shin", "upper_arm", "forearm")},
        thickness=chance.uniform(0.026, 0.036),
        scale=chance.uniform(0.82, 1.0),
        shift=chance.uniform(-0.04, 0.04),
        mirrored=exercise in SIDEWAYS and chance.random() < 0.5,
        background=(chance.randint(8, 50), chance.randint(8, 50), chance.randint(8, 50)),
        noise_seed=chance.getrandbits(31),
    )


def render_frames(
    exercise: str,
    form: str,
    seed_key: str,
    frame_indexes: Sequence[int],
    *,
    size: int = 96,
    seconds: float = 2.0,
    fps: int = 12,
) -> Frames:
    """The frames at `frame_indexes` of one video: `(frames, size, size, 3) uint8 RGB`.

    A frame is the same whichever others are asked for with it.
    """
    variation = draw_variation(exercise, form, seed_key)
    places = _picture_places(exercise, form, variation, np.asarray(frame_indexes) / frame_count(seconds, fps))
    grain = _grain(variation, size)
    frames = np.empty((len(frame_indexes), size, size, 3), dtype=np.uint8)
    for position, index in enumerate(frame_indexes):
        figure = {joint: points[position] for joint, points in places.items()}
        frames[position] = _add_grain(_draw(figure, variation, size), grain, index)
    return frames


def frame_count(seconds: float, fps: int) -> int:
    """Frames of a video of this length; at least one."""
    return max(1, round(seconds * fps))


def _picture_places(exercise: str, form: str, variation: Variation, times: npt.NDArray[np.float64]) -> dict[str, Points]:
    """Where each joint is in the picture at these times (0 the start of the clip, 1 its end), in picture sides."""
    cycle = 2.0 * np.pi * (variation.repetitions * times + variation.start)
    depth = (0.5 - 0.5 * np.cos(cycle)) * variation.range_of_motion
    pose = pose_of(exercise, form, depth, np.sin(cycle) * variation.range_of_motion)
    for limb, error in variation.angle_errors.items():
        setattr(pose, limb, np.broadcast_to(getattr(pose, limb), times.shape) + error)
    joints = joint_positions(pose, variation.proportions)

    # The lowest foot (or hand, on all fours) is on the ground. The camera follows the middle of a lying body, else the hip,
    # and looks ahead of one that is seen from the side, which reaches forward.
    supports = ("foot", "hand") if exercise in LYING else ("foot",)
    lowest = np.max([points[:, 1] for joint, points in joints.items() if joint.endswith(supports)], axis=0)
    if exercise in LYING:
        middle = (joints["head"][:, 0] + joints["left_foot"][:, 0]) / 2
    else:
        middle = joints["hip"][:, 0] + (_AHEAD if exercise in SIDEWAYS else 0.0)
    origin = np.stack([middle, lowest], axis=-1)
    scale = np.array([-variation.scale if variation.mirrored else variation.scale, variation.scale])
    ground = np.stack(
        [np.full_like(lowest, 0.5 + variation.shift), _GROUND - np.broadcast_to(pose.lift, lowest.shape)], axis=-1
    )
    return {joint: (points - origin) * scale + ground for joint, points in joints.items()}


def _draw(figure: dict[str, Points], variation: Variation, size: int) -> Frames:
    """One picture, drawn at twice its size and averaged down for smooth edges."""
    side = size * _SUPERSAMPLING
    place = {joint: (float(point[0]) * side, float(point[1]) * side) for joint, point in figure.items()}
    picture = Image.new("RGB", (side, side), variation.background)
    pen = ImageDraw.Draw(picture)
    line = tuple(channel + 40 for channel in variation.background)
    pen.line([(0.0, _GROUND_LINE * side), (float(side), _GROUND_LINE * side)], fill=line, width=_SUPERSAMPLING)
    width = max(1, round(variation.thickness * side))
    for joints, colour in _LIMB_COLOURS:
        pen.line([place[joint] for joint in joints], fill=colour, width=width, joint="curve")
    radius = HEAD_RADIUS * variation.scale * side
    x, y = place["head"]
    pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=_HEAD_COLOUR)
    return np.asarray(picture.reduce(_SUPERSAMPLING))


def _grain(variation: Variation, size: int) -> npt.NDArray[np.int16]:
    """Grey sensor noise of one video, `(size, size, 1)`."""
    noise = np.random.default_rng(variation.noise_seed).normal(0.0, _NOISE, (size, size, 1))
    return noise.astype(np.int16)


def _add_grain(picture: Frames, grain: npt.NDArray[np.int16], index: int) -> Frames:
    """Noise that moves from frame to frame; fresh noise for each would cost as much time as the drawing."""
    moved = np.roll(grain, (17 * index, 29 * index), axis=(0, 1))
    noisy: Frames = np.clip(picture + moved, 0, 255).astype(np.uint8)
    return noisy
