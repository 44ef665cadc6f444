"""Answers for the test split of a dataset, a row a sample."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from videoguard.dataset.building import messages_of, read_split
from videoguard.frames.store import FrameStore
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.inference.rows import AnswerRow, RowFile, write_rows
from videoguard.inference.structured.answers import CountedAnswer, JsonAnswers, generation_settings, json_answers
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_model, load_processor
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import Example, Preprocessor, digest_processor, make_record, read_record

ROWS = "rows.jsonl"
Row = Mapping[str, Any]
Emit = Callable[[dict[str, object]], None]


def infer(request: InferenceRequest, emit: Emit) -> InferenceReply:
    """Answer every test sample of the shard, and write `rows.jsonl` in the order of the split.

    Rows are kept in `request.work` batch by batch. An inference that was killed goes on after its last whole batch; the
    model is not loaded where nothing is left to do. A sample whose video has no frames becomes a failed row.

    Args:
        request: which model answers what.
        emit: called with `{"step", "of", "metrics"}` after each batch, and a `"note"` where rows were kept.

    Raises:
        UserError: the model is refused, or the adapter was trained with another preprocessing (both values are named).
    """
    split = [row for row in read_split(request.dataset, "test") if in_shard(row["group"], request.shard, request.shards)]
    size = request.inference.batch_size
    kept = RowFile(request.work / ROWS)
    kept.cut(_count_kept(kept.rows, split, size))
    missing = split[len(kept.rows) :]
    if kept.rows:
        note = f"{len(kept.rows)} answers kept"
        emit({"step": len(kept.rows), "of": len(split), "metrics": {}, "note": note})
    if missing:
        answerer = _load(request)
        for start in range(0, len(missing), size):
            kept.append(answerer.answer(missing[start : start + size]))
            emit({"step": len(kept.rows), "of": len(split), "metrics": {}})
    write_rows(request.output / ROWS, kept.rows)
    return InferenceReply(
        rows=len(kept.rows),
        failed=sum(row.status == "failed" for row in kept.rows),
        repaired=sum(row.generated is not None for row in kept.rows),
        computed=len(missing),
        seconds=sum(row.latency_s or 0.0 for row in kept.rows),
        new_tokens=sum(row.new_tokens or 0 for row in kept.rows),
    )


def in_shard(group: str, shard: int, shards: int) -> bool:
    """Whether the rows of a group (SHA-256 of its content, hexadecimal) belong to a shard."""
    return int(group[:8], 16) % shards == shard


def _count_kept(kept: Sequence[AnswerRow], split: Sequence[Row], batch_size: int) -> int:
    """Rows at the start of the split that are done, in whole batches: a batch is always answered together.

    The answers do not depend on what else is in the batch, but the last bits of their log-probabilities do.
    """
    same = sum(1 for _ in takewhile(lambda pair: pair[0].id == pair[1]["id"], zip(kept, split, strict=False)))
    return same if same == len(split) else same - same % batch_size


@dataclass(frozen=True)
class _Answerer:
    """A loaded model, and the frames that it is asked about."""

    engine: Engine
    preprocessor: Preprocessor
    frames: FrameStore | None
    """None where the dataset is text alone."""
    settings: GenerationSettings
    json: JsonAnswers | None
    """None where answers are text."""

    def answer(self, batch: Sequence[Row]) -> list[AnswerRow]:
        """A row for each sample."""
        started = time.monotonic()
        prepared = [self._prompt_or_reason(row) for row in batch]
        prompts = [prompt for prompt in prepared if not isinstance(prompt, str)]
        answers = iter(self.engine.answer(prompts, self.settings) if prompts else [])
        share = (time.monotonic() - started) / len(batch)
        return [
            _failed(row, prompt) if isinstance(prompt, str) else _answered(row, next(answers), share, self.json)
            for row, prompt in zip(batch, prepared, strict=True)
        ]

    def _prompt_or_reason(self, row: Row) -> Example | str:
        if row["video"] is None:
            return self.preprocessor.prompt(messages_of(row)[:-1], None)
        assert self.frames is not None
        try:
            shown = TimedFrames(self.frames.frames(row["video"]), self.frames.timestamps(row["video"]))
        except KeyError as no_frames:
            return str(no_frames.args[0])
        return self.preprocessor.prompt(messages_of(row)[:-1], shown)


def _load(request: InferenceRequest) -> _Answerer:
    base = find_base(request.base, request.revision)
    processor = load_processor(base)
    adapter = request.adapter
    if adapter is not None:
        asked = make_record(
            base,
            digest_processor(processor),
            request.frames,
            base_name=request.base_name,
            system_prompt=request.system_prompt,
            question=request.question,
            text_only=request.frame_store is None,
        )
        read_record(adapter).require_same(asked, adapter)
    how = {"quantization": request.quantization, "attention": request.attention}
    model = load_adapted(base, request.dtype, adapter, **how) if adapter else load_model(base, request.dtype, **how)
    preprocessor = Preprocessor(processor, base.family)
    frames = None if request.frame_store is None else FrameStore(request.frame_store, request.frame_shards)
    engine = Engine(model, preprocessor)
    json = json_answers(request.answer_schema, request.inference)
    settings = generation_settings(request.inference.max_new_tokens, json, engine)
    return _Answerer(engine, preprocessor, frames, settings, json)


def _answered(row: Row, answer: Answer, latency_s: float, json: JsonAnswers | None) -> AnswerRow:
    counted = CountedAnswer(answer.text) if json is None else json.count(answer)
    return AnswerRow(
        **_sample(row),
        status="ok",
        answer=counted.answer,
        generated=counted.generated,
        mean_token_logprob=answer.mean_token_logprob,
        new_tokens=answer.new_tokens,
        latency_s=latency_s,
    )


def _failed(row: Row, reason: str) -> AnswerRow:
    return AnswerRow(**_sample(row), status="failed", error=reason)


def _sample(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "video": row["video"],
        "group": row["group"],
        "label": row["label"],
        "question": row["question"],
        "reference": row["answer"],
    }
