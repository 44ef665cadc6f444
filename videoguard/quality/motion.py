"""Which classes of exercise move, and which are held still.

The cleaning tools of QVED ask for motion only in the exercises that a hand-written list marks as moving. Here the videos of
a class tell, and a recipe may say otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from videoguard.manifests.labels import normalize_name

Kind = Literal["motion", "hold"]

MOVING_SHARE = 0.3
"""A video moves where at least this share of its neighbouring frames differs visibly, as for QVED's tools."""


def classify(motion: Mapping[str | None, Sequence[float | None]]) -> dict[str | None, Kind]:
    """`motion` for a class of which at least half of the videos move, `hold` for one of which fewer do.

    Args:
        motion: the motion score of each video, by class; unscored videos have no voice. A class without any moves, so that
            nothing is let through unseen.
    """
    kinds: dict[str | None, Kind] = {}
    for name, scores in motion.items():
        moving = [score >= MOVING_SHARE for score in scores if score is not None]
        kinds[name] = "motion" if 2 * sum(moving) >= len(moving) else "hold"
    return kinds


def lay_over(kinds: Mapping[str | None, Kind], moving: Iterable[str], held: Iterable[str]) -> dict[str | None, Kind]:
    """The kinds with those that a recipe names; names are compared as those of exercises are."""
    told: dict[str, Kind] = {normalize_name(name): "motion" for name in moving}
    told |= {normalize_name(name): "hold" for name in held}
    return {name: kind if name is None else told.get(normalize_name(name), kind) for name, kind in kinds.items()}
