"""Guarded videos of a test split judged as streams: a row a video, with the decision of every frame."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel

from videoguard.dataset.building import read_split
from videoguard.dataset.guard import GuardedClip, GuardedVideo
from videoguard.digests import digest_json
from videoguard.frames.store import FrameStore
from videoguard.inference.answering import decided_by, failed_row, row_key, row_of
from videoguard.inference.guard.guard import GuardSettings, StreamingGuard
from videoguard.inference.guard.trace import ClipTrace, GuardTrace, alarms_of
from videoguard.inference.infer import ROWS, in_shard, question_of, require_same_preprocessing
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.inference.row_store import RowStore
from videoguard.inference.rows import AnswerRow, write_rows
from videoguard.inference.shared_base import share_base
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.families import require_streaming
from videoguard.models.preprocessing import Preprocessor, frame_rule_of

Row = Mapping[str, Any]
Emit = Callable[[dict[str, object]], None]


def is_guard_split(split: Dataset) -> bool:
    """Whether the videos of a split are judged as streams."""
    return "guard" in split.column_names and any(guard is not None for guard in split["guard"])


def answer_streams(request: InferenceRequest, emit: Emit) -> InferenceReply:
    """Judge every test video of the shard as a stream, and write `rows.jsonl` in the order of the split.

    A video goes to the row store as it ends, and what stands there is not judged again. A video with a clip that has no
    frames becomes a failed row.

    Raises:
        UserError: the model is refused, or the adapter was trained with another preprocessing.
    """
    split = [row for row in read_split(request.dataset, "test") if in_shard(row["group"], request.shard, request.shards)]
    assert request.frame_store is not None
    frames = FrameStore(request.frame_store, request.frame_shards)
    base = find_base(request.base, request.revision)
    require_streaming(base.family.model_type)
    keys = _keys(request, base, split, frames)
    store = RowStore(request.row_store)
    stored = store.find(keys, request.since)
    rows = {
        number: row_of(question_of(row), stored[key])
        for number, (row, key) in enumerate(zip(split, keys, strict=True))
        if key in stored
    }
    if rows:
        emit({"step": len(rows), "of": len(split), "metrics": {}, "note": f"{len(rows)} answers kept"})
    missing = [number for number in range(len(split)) if number not in rows]
    if missing:
        shared = share_base(base, request.dtype, quantization=request.quantization, attention=request.attention)
        require_same_preprocessing(request, base, shared.processor_digest)
        with shared.using_once(request.adapter) as model:
            judge = _Judge(model, shared.preprocessor, frames, request.inference.max_new_tokens)
            for number in missing:
                rows[number] = judge.answer(split[number])
                store.add({keys[number]: rows[number]})
                emit({"step": len(rows), "of": len(split), "metrics": {}})
    in_order = [rows[number] for number in range(len(split))]
    write_rows(request.output / ROWS, in_order)
    return InferenceReply(
        rows=len(in_order),
        failed=sum(row.status == "failed" for row in in_order),
        computed=len(missing),
        seconds=sum(row.latency_s or 0.0 for row in in_order),
        new_tokens=sum(row.new_tokens or 0 for row in in_order),
    )


def _keys(request: InferenceRequest, base: BaseModelFolder, split: Sequence[Row], frames: FrameStore) -> list[str]:
    """What the decisions of each video are stored under: its clips, and what is wanted of them, count too."""
    decided = decided_by(
        base.digest,
        request.adapter,
        {"dtype": request.dtype, "quantization": request.quantization, "attention": request.attention},
        frame_rule_of(request.frames),
        request.inference.max_new_tokens,
    )
    keys = []
    for row in split:
        clips = GuardedVideo.model_validate_json(row["guard"]).clips
        contents = digest_json([frames.digests.get(clip.video) for clip in clips])
        keys.append(row_key(question_of(row), contents, {**decided, "guard": row["guard"]}))
    return keys


@dataclass(frozen=True)
class _Judge:
    """A loaded model, and the frames of the videos."""

    model: PreTrainedModel | PeftModel
    preprocessor: Preprocessor
    frames: FrameStore
    response_tokens: int

    def answer(self, row: Row) -> AnswerRow:
        """The row of one video."""
        started = time.monotonic()
        question = question_of(row)
        first = question.messages[0]
        guard = StreamingGuard(
            self.model,
            self.preprocessor,
            GuardSettings(
                question=row["question"],
                system=first["content"][0].get("text") if first["role"] == "system" else None,
                clip_frames=None,
                response_tokens=self.response_tokens,
            ),
        )
        wanted = GuardedVideo.model_validate_json(row["guard"])
        try:
            clips = tuple(self._judge_clip(guard, part) for part in wanted.clips)
        except KeyError as no_frames:
            return failed_row(question, str(no_frames.args[0]))
        response = guard.respond()
        trace = GuardTrace(
            clips=clips,
            alarms=tuple(alarms_of(frame for clip in clips for frame in clip.frames)),
            description=response.verdict.description,
            verdict=response.verdict.labels,
            wanted=wanted.labels,
            spans=wanted.spans,
        )
        return AnswerRow(
            **question.sample,
            status="ok",
            answer=response.text,
            new_tokens=response.tokens,
            latency_s=time.monotonic() - started,
            guard=trace,
        )

    def _judge_clip(self, guard: StreamingGuard, part: GuardedClip) -> ClipTrace:
        pictures = self.frames.frames(part.video)
        decisions = [guard.push(pictures[place : place + 1], time) for place, time in enumerate(part.times)]
        clip = guard.close_clip(part.video)
        assert clip is not None
        frames = tuple(
            decision.model_copy(update={"wanted": labels}) for decision, labels in zip(decisions, part.frames, strict=True)
        )
        return clip.model_copy(update={"frames": frames, "wanted_summary": part.summary})
