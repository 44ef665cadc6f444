"""Captions that tell how the joints move and name no exercise: what the tiny model is pre-trained on."""

import numpy as np
import numpy.typing as npt

from videoguard.exercises.motion import LIMBS, pose_of

CAPTION_REQUEST = "Describe the motion."

_STEP_DEGREES = 15
_TORSO_MOVES_DEGREES = 5.0


def motion_caption(exercise: str, form: str) -> str:
    """Ranges of the joint angles of one class, in steps of 15 degrees, without its name.

    The two bent sides are told apart where they differ:
    `torso 15 one way, thighs 90 90, knees 135 135, arms 0 to 90 and 90, elbows 0`.
    """
    depth = np.linspace(0.0, 1.0, 9)
    pose = pose_of(exercise, form, depth, 2.0 * depth - 1.0)
    angle = {limb: np.broadcast_to(np.asarray(getattr(pose, limb), dtype=np.float64), depth.shape) for limb in LIMBS}
    lean = 180.0 - angle["torso"]
    knees = [_largest(angle[f"{side}_thigh"] - angle[f"{side}_shin"]) for side in ("left", "right")]
    return (
        f"torso {_largest(lean)} {_direction(lean)}, "
        f"thighs {_largest(angle['left_thigh'])} {_largest(angle['right_thigh'])}, "
        f"knees {knees[0]} {knees[1]}, "
        f"arms {_smallest(angle['left_upper_arm'])} to {_largest(angle['left_upper_arm'])} "
        f"and {_largest(angle['right_upper_arm'])}, "
        f"elbows {_largest(angle['left_upper_arm'] - angle['left_forearm'])}"
    )


def _direction(lean: npt.NDArray[np.float64]) -> str:
    if lean.min() < -_TORSO_MOVES_DEGREES and lean.max() > _TORSO_MOVES_DEGREES:
        return "both ways"
    return "one way" if np.abs(lean).max() > _TORSO_MOVES_DEGREES else "still"


def _largest(angles: npt.NDArray[np.float64]) -> int:
    return _in_steps(float(np.abs(angles).max()))


def _smallest(angles: npt.NDArray[np.float64]) -> int:
    return _in_steps(float(np.abs(angles).min()))


def _in_steps(degrees: float) -> int:
    return round(degrees / _STEP_DEGREES) * _STEP_DEGREES
