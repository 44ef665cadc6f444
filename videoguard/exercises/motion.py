"""How the figure moves: joint angles over the course of a repetition, and where that puts its joints.

An angle is in degrees as seen by the camera: 0 points down, 90 to the right of the picture, 180 up. The depth of a
repetition goes from 0 (start) to 1 (turning point); the swing of a movement to both sides from -1 to 1. Both may be
single numbers or arrays over frames, and so are the angles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Angle: TypeAlias = float | npt.NDArray[np.float64]
Points: TypeAlias = npt.NDArray[np.float64]

LYING = frozenset({"push-up"})
"""Exercises done on hands and feet."""

SIDEWAYS = frozenset({"squat", "push-up", "lunge", "high knees", "toe touch"})
"""Exercises seen from the side, which may face either way."""

HEAD_RADIUS = 0.055
"""Radius of the head, in picture heights."""

_LENGTHS = {"torso": 0.27, "thigh": 0.19, "shin": 0.19, "upper_arm": 0.13, "forearm": 0.13, "head": 1.3 * HEAD_RADIUS}


@dataclass
class Pose:
    """Angles of the limbs, degrees, and the height of the feet above the ground, in picture heights."""

    torso: Angle = 180.0
    left_thigh: Angle = -4.0
    left_shin: Angle = -4.0
    right_thigh: Angle = 4.0
    right_shin: Angle = 4.0
    left_upper_arm: Angle = -10.0
    left_forearm: Angle = -10.0
    right_upper_arm: Angle = 10.0
    right_forearm: Angle = 10.0
    lift: Angle = 0.0


LIMBS = (
    "torso",
    "left_thigh",
    "left_shin",
    "right_thigh",
    "right_shin",
    "left_upper_arm",
    "left_forearm",
    "right_upper_arm",
    "right_forearm",
)
"""The fields of `Pose` that are angles."""


def pose_of(exercise: str, form: str, depth: Angle, swing: Angle) -> Pose:
    """The pose of one form of an exercise at this point of a repetition."""
    return _MOTIONS[exercise](form, depth, swing)


def joint_positions(pose: Pose, proportions: Mapping[str, float]) -> dict[str, Points]:
    """Forward kinematics: the joints of a pose of `n` frames, each `(n, 2)`: x to the right, y down, the hip at 0.

    `proportions` scales the length of the torso, thigh, shin, upper_arm, forearm and head; 1 where it names none.
    Lengths are in picture heights.
    """
    length = {part: value * proportions.get(part, 1.0) for part, value in _LENGTHS.items()}
    neck = _along(pose.torso, length["torso"])
    joints = {"hip": np.zeros_like(neck), "neck": neck, "head": neck + _along(pose.torso, length["head"])}
    for side in ("left", "right"):
        for root, limbs, ends in (
            ("hip", ("thigh", "shin"), ("knee", "foot")),
            ("neck", ("upper_arm", "forearm"), ("elbow", "hand")),
        ):
            place = joints[root]
            for limb, end in zip(limbs, ends, strict=True):
                place = place + _along(getattr(pose, f"{side}_{limb}"), length[limb])
                joints[f"{side}_{end}"] = place
    return joints


def _along(angle: Angle, length: float) -> Points:
    radians = np.atleast_1d(np.radians(angle))
    return length * np.stack([np.sin(radians), np.cos(radians)], axis=-1)


def _squat(form: str, depth: Angle, swing: Angle) -> Pose:
    bend = (35.0 if form == "shallow" else 88.0) * depth
    lean = (62.0 if form == "leaning" else 22.0) * depth
    arms = 90.0 * depth
    return Pose(
        torso=180.0 - lean,
        left_thigh=bend,
        right_thigh=bend + 4.0,
        left_shin=-0.45 * bend,
        right_shin=-0.45 * bend + 4.0,
        left_upper_arm=arms,
        left_forearm=arms,
        right_upper_arm=arms + 4.0,
        right_forearm=arms + 4.0,
    )


def _jumping_jack(form: str, depth: Angle, swing: Angle) -> Pose:
    arms = 15.0 + ((75.0 if form == "low arms" else 165.0) - 15.0) * depth
    legs = 4.0 + ((5.0 if form == "narrow feet" else 30.0) - 4.0) * depth
    return Pose(
        left_upper_arm=-arms,
        left_forearm=-arms,
        right_upper_arm=arms,
        right_forearm=arms,
        left_thigh=-legs,
        left_shin=-legs,
        right_thigh=legs,
        right_shin=legs,
        lift=0.03 * np.sin(np.pi * depth),
    )


def _push_up(form: str, depth: Angle, swing: Angle) -> Pose:
    reach = (0.35 if form == "partial range" else 1.0) * depth
    sag = -25.0 if form == "sagging hips" else 0.0
    tilt = 16.0 * (1.0 - reach)
    elbow = 75.0 * reach
    return Pose(
        torso=90.0 + tilt - sag,
        left_thigh=-90.0 + tilt + sag,
        left_shin=-90.0 + tilt,
        right_thigh=-88.0 + tilt + sag,
        right_shin=-88.0 + tilt,
        left_upper_arm=-elbow,
        left_forearm=0.55 * elbow,
        right_upper_arm=5.0 - elbow,
        right_forearm=0.55 * elbow + 5.0,
    )


def _lunge(form: str, depth: Angle, swing: Angle) -> Pose:
    deepest = 30.0 if form == "shallow" else 80.0
    lean = (50.0 if form == "leaning" else 3.0) * depth
    back_leg = depth * deepest / 80.0
    return Pose(
        torso=180.0 - lean,
        left_thigh=8.0 + deepest * depth,
        left_shin=-2.0 * depth,
        right_thigh=-8.0 - 30.0 * back_leg,
        right_shin=-12.0 - 68.0 * back_leg,
        left_upper_arm=-8.0,
        left_forearm=40.0,
        right_upper_arm=8.0,
        right_forearm=45.0,
    )


def _side_bend(form: str, depth: Angle, swing: Angle) -> Pose:
    upper_body = 180.0 - (14.0 if form == "small range" else 45.0) * swing
    knees = 1.0 if form == "bent knees" else 0.0
    return Pose(
        torso=upper_body,
        left_upper_arm=upper_body - 12.0,
        left_forearm=upper_body - 3.0,
        right_upper_arm=upper_body + 12.0,
        right_forearm=upper_body + 3.0,
        left_thigh=-4.0 - 36.0 * knees,
        left_shin=-4.0 + 34.0 * knees,
        right_thigh=4.0 + 36.0 * knees,
        right_shin=4.0 - 34.0 * knees,
    )


def _high_knees(form: str, depth: Angle, swing: Angle) -> Pose:
    height = 38.0 if form == "low knees" else 95.0
    left, right = np.maximum(swing, 0.0), np.maximum(-np.asarray(swing), 0.0)
    return Pose(
        torso=180.0 + (28.0 if form == "leaning back" else 0.0),
        left_thigh=height * left,
        left_shin=-0.35 * height * left,
        right_thigh=height * right,
        right_shin=-0.35 * height * right,
        left_upper_arm=-40.0 * right,
        left_forearm=60.0,
        right_upper_arm=40.0 * left,
        right_forearm=80.0,
    )


def _shoulder_press(form: str, depth: Angle, swing: Angle) -> Pose:
    left = (0.4 if form == "partial press" else 1.0) * depth
    right = 0.15 * depth if form == "uneven arms" else left
    return Pose(
        left_upper_arm=-(95.0 + 75.0 * left),
        left_forearm=-(182.0 - 4.0 * left),
        right_upper_arm=95.0 + 75.0 * right,
        right_forearm=182.0 - 4.0 * right,
    )


def _toe_touch(form: str, depth: Angle, swing: Angle) -> Pose:
    bend, reach = (60.0, 120.0) if form == "short reach" else (128.0, 170.0)
    arms = 180.0 - reach * depth
    pose = Pose(
        torso=180.0 - bend * depth,
        left_upper_arm=arms,
        left_forearm=arms,
        right_upper_arm=arms + 5.0,
        right_forearm=arms + 5.0,
    )
    if form == "bent knees":
        pose.left_thigh, pose.left_shin = 50.0 * depth, -45.0 * depth
        pose.right_thigh, pose.right_shin = 50.0 * depth + 4.0, -45.0 * depth + 4.0
    return pose


_MOTIONS = {
    "squat": _squat,
    "jumping jack": _jumping_jack,
    "push-up": _push_up,
    "lunge": _lunge,
    "side bend": _side_bend,
    "high knees": _high_knees,
    "shoulder press": _shoulder_press,
    "toe touch": _toe_touch,
}
