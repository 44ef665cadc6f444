"""Guarded videos of a test split judged as streams: a row a video, with the decision of every frame."""

import time
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from datasets import Dataset

from videoguard.dataset.building import read_split
from videoguard.dataset.guard import GuardedClip, GuardedVideo
from videoguard.frames.store import FrameStore
from videoguard.inference.guard.guard import GuardSettings, StreamingGuard
from videoguard.inference.guard.trace import ClipTrace, GuardTrace, alarms_of
from videoguard.inference.infer import ROWS, in_shard
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.inference.rows import AnswerRow, RowFile, write_rows
from videoguard.models.base import find_base
from videoguard.models.families import require_streaming
from videoguard.models.loading import load_adapted, load_model, load_processor
from videoguard.models.preprocessing import Preprocessor, digest_processor, make_record, read_record

Row = Mapping[str, Any]
Emit = Callable[[dict[str, object]], None]


def is_guard_split(split: Dataset) -> bool:
    """Whether the videos of a split are judged as streams."""
    return "guard" in split.column_names and any(guard is not None for guard in split["guard"])


def answer_streams(request: InferenceRequest, emit: Emit) -> InferenceReply:
    """Judge every test video of the shard as a stream, and write `rows.jsonl` in the order of the split.

    A row is kept as its video ends; a later attempt goes on after the last whole one. A video with a clip that has no frames
    becomes a failed row.

    Raises:
        UserError: the model is refused, or the adapter was trained with another preprocessing.
    """
    split = [row for row in read_split(request.dataset, "test") if in_shard(row["group"], request.shard, request.shards)]
    kept = RowFile(request.work / ROWS)
    kept.cut(sum(1 for _ in takewhile(lambda pair: pair[0].id == pair[1]["id"], zip(kept.rows, split, strict=False))))
    missing = split[len(kept.rows) :]
    if kept.rows:
        emit({"step": len(kept.rows), "of": len(split), "metrics": {}, "note": f"{len(kept.rows)} answers kept"})
    if missing:
        judge = _Judge(request)
        for row in missing:
            kept.append([judge.answer(row)])
            emit({"step": len(kept.rows), "of": len(split), "metrics": {}})
    write_rows(request.output / ROWS, kept.rows)
    return InferenceReply(
        rows=len(kept.rows),
        failed=sum(row.status == "failed" for row in kept.rows),
        computed=len(missing),
        seconds=sum(row.latency_s or 0.0 for row in kept.rows),
        new_tokens=sum(row.new_tokens or 0 for row in kept.rows),
    )


class _Judge:
    """A loaded model, and the frames of the videos."""

    def __init__(self, request: InferenceRequest) -> None:
        base = find_base(request.base, request.revision)
        require_streaming(base.family.model_type)
        processor = load_processor(base)
        if request.adapter is not None:
            asked = make_record(
                base,
                digest_processor(processor),
                request.frames,
                base_name=request.base_name,
                system_prompt=request.system_prompt,
                question=request.question,
            )
            read_record(request.adapter).require_same(asked, request.adapter)
        how = {"quantization": request.quantization, "attention": request.attention}
        adapter = request.adapter
        self._model = (
            load_adapted(base, request.dtype, adapter, **how) if adapter else load_model(base, request.dtype, **how)
        )
        self._preprocessor = Preprocessor(processor, base.family)
        assert request.frame_store is not None
        self._frames = FrameStore(request.frame_store, request.frame_shards)
        self._response_tokens = request.inference.max_new_tokens

    def answer(self, row: Row) -> AnswerRow:
        """The row of one video."""
        started = time.monotonic()
        sample = {
            "id": row["id"],
            "video": row["video"],
            "group": row["group"],
            "label": row["label"],
            "question": row["question"],
            "reference": row["answer"],
        }
        # Whatever comes before the question is a system message: a stream has no other history.
        system = [part["text"] for part in row["messages"][0]["content"]] if row["messages"][0]["role"] == "system" else None
        guard = StreamingGuard(
            self._model,
            self._preprocessor,
            GuardSettings(
                question=row["question"],
                system=system[0] if system else None,
                clip_frames=None,
                response_tokens=self._response_tokens,
            ),
        )
        wanted = GuardedVideo.model_validate_json(row["guard"])
        try:
            clips = tuple(self._judge_clip(guard, part) for part in wanted.clips)
        except KeyError as no_frames:
            return AnswerRow(**sample, status="failed", error=str(no_frames.args[0]))
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
            **sample,
            status="ok",
            answer=response.text,
            new_tokens=response.tokens,
            latency_s=time.monotonic() - started,
            guard=trace,
        )

    def _judge_clip(self, guard: StreamingGuard, part: GuardedClip) -> ClipTrace:
        pictures = self._frames.frames(part.video)
        decisions = [guard.push(pictures[place : place + 1], time) for place, time in enumerate(part.times)]
        clip = guard.close_clip(part.video)
        assert clip is not None
        frames = tuple(
            decision.model_copy(update={"wanted": labels}) for decision, labels in zip(decisions, part.frames, strict=True)
        )
        return clip.model_copy(update={"frames": frames, "wanted_summary": part.summary})
