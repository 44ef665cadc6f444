"""Where the joints are, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.exercises.catalogue import CLASSES
from videoguard.exercises.motion import LIMBS, Pose, joint_positions, pose_of

ANGLES = st.floats(-360, 360)


def test_standing_straight_puts_the_head_above_and_the_feet_below_the_hip():
    joints = joint_positions(Pose(torso=180.0, left_thigh=0.0, left_shin=0.0), {})

    assert joints["hip"] == pytest.approx(np.zeros((1, 2)))
    assert joints["neck"] == pytest.approx(np.array([[0.0, -0.27]]), abs=1e-12)
    assert joints["left_foot"] == pytest.approx(np.array([[0.0, 0.38]]), abs=1e-12)


def test_an_angle_of_ninety_degrees_points_to_the_right():
    joints = joint_positions(Pose(left_thigh=90.0, left_shin=0.0), {})

    assert joints["left_knee"] == pytest.approx(np.array([[0.19, 0.0]]), abs=1e-12)
    assert joints["left_foot"] == pytest.approx(np.array([[0.19, 0.19]]), abs=1e-12)


@given(st.dictionaries(st.sampled_from(LIMBS), ANGLES), st.floats(0.5, 2.0))
def test_limbs_keep_their_length_in_every_pose(angles, longer):
    joints = joint_positions(Pose(**angles), {"shin": longer})

    for side in ("left", "right"):
        shin = np.linalg.norm(joints[f"{side}_foot"] - joints[f"{side}_knee"])
        forearm = np.linalg.norm(joints[f"{side}_hand"] - joints[f"{side}_elbow"])
        assert shin == pytest.approx(0.19 * longer, abs=1e-9)
        assert forearm == pytest.approx(0.13, abs=1e-9)


@pytest.mark.parametrize(("exercise", "form"), CLASSES)
def test_poses_over_an_array_of_frames_equal_those_one_by_one(exercise, form):
    depth, swing = np.array([0.0, 0.4, 1.0]), np.array([-1.0, 0.3, 1.0])
    together = pose_of(exercise, form, depth, swing)
    for limb in LIMBS:
        angles = np.broadcast_to(getattr(together, limb), 3)
        alone = [float(getattr(pose_of(exercise, form, d, s), limb)) for d, s in zip(depth, swing, strict=True)]
        assert angles == pytest.approx(np.array(alone))
