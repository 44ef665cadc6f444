"""The process of a preview: one example of a recipe as the training will see it, before any training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from videoguard.dataset.building import messages_of
from videoguard.dataset.splits import SPLITS, Split
from videoguard.errors import UserError
from videoguard.estimate.plan import Plan, frame_rule, plan_run
from videoguard.estimate.preview import Preview, PreviewRequest
from videoguard.frames.decoding import DecodeError
from videoguard.frames.images import read_images
from videoguard.frames.store import decode_frames
from videoguard.frames.workers import read_video
from videoguard.models.media import TimedFrames
from videoguard.subprocesses import Emit
from videoguard.training.examples import require_trained_tokens
from videoguard.training.preview import mark_tokens

Row = Mapping[str, Any]


def preview(request: PreviewRequest, emit: Emit) -> Preview:
    """Encode one example as the training will; the frames of its clip are decoded, and no others.

    Raises:
        UserError: there is no such sample, it cannot be decoded, none or all of its tokens would be trained, or the base has
            no tokenizer on disk.
    """
    with plan_run(request.config) as plan:
        if plan.preprocessor is None:
            raise UserError(f"model.base {plan.base.name} has no tokenizer in {plan.base.folder}: download the whole model")
        split, row = _find(plan, request.sample)
        shown = _frames(plan, row)
        example = plan.preprocessor.example(messages_of(row), shown)
        require_trained_tokens([example])
        return Preview(
            sample=row["id"],
            split=split,
            shown=row["video"],
            frames=None if shown is None else shown.pictures.shape[:3],
            spans=mark_tokens(example, plan.preprocessor.tokenizer),
            max_tokens=request.config.training.max_tokens,
        )


def _find(plan: Plan, sample: str | None) -> tuple[Split, Row]:
    training = plan.split("train")
    if sample is None or sample.isdecimal():
        place = int(sample or 0)
        if place >= len(training):
            raise UserError(f"--sample {place}: the training split has {len(training)} samples, counted from 0")
        return "train", training[place]
    for split in SPLITS:
        for row in plan.split(split):
            if row["id"] == sample:
                return split, row
    raise UserError(f"--sample {sample}: no sample of {plan.config.data.manifest} that can be used has this id")


def _frames(plan: Plan, row: Row) -> TimedFrames | None:
    """What the store would hold of the row's clip, through its codec."""
    if row["video"] is None:
        return None
    source, rule = plan.sources[row["video"]], frame_rule(plan.config.frames)
    try:
        stored = read_video(source, rule) if isinstance(source, Path) else read_images(source, rule)
    except DecodeError as reason:
        raise UserError(f"{row['video']}: {reason}") from None
    return TimedFrames(decode_frames(stored.frames), np.asarray(stored.timestamps_s))


SERVED = (PreviewRequest, preview)
