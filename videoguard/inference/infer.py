"""Answers for the test split of a dataset, a row a sample."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from videoguard.dataset.building import messages_of, read_split
from videoguard.frames.store import FrameStore
from videoguard.inference.engine import Answer, Engine
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.inference.rows import AnswerRow
from videoguard.models.base import find_base
from videoguard.models.loading import load_adapted, load_model, load_processor
from videoguard.models.preprocessing import Preprocessor, digest_processor, make_record, read_record

ROWS = "rows.jsonl"
Row = Mapping[str, Any]
Emit = Callable[[dict[str, object]], None]


def infer(request: InferenceRequest, emit: Emit) -> InferenceReply:
    """Answer every test sample, write `rows.jsonl` batch by batch in the order of the split.

    Raises:
        UserError: the model is refused, or the adapter was trained with another preprocessing (both values are named).
    """
    base = find_base(request.base, request.revision)
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
    preprocessor = Preprocessor(processor, base.family)
    adapter = request.adapter
    model = load_model(base, request.dtype) if adapter is None else load_adapted(base, request.dtype, adapter)
    engine = Engine(model, preprocessor)
    store = FrameStore(request.frame_store)

    started = time.monotonic()
    rows: list[AnswerRow] = []
    split = list(read_split(request.dataset, "test"))
    with (request.output / ROWS).open("w", encoding="utf-8") as lines:
        for batch in _batches(split, request.inference.batch_size):
            answered = _answer(batch, engine, preprocessor, store, request.inference.max_new_tokens)
            lines.writelines(row.model_dump_json() + "\n" for row in answered)
            lines.flush()
            rows += answered
            emit({"step": len(rows), "of": len(split), "metrics": {}})
    return InferenceReply(
        rows=len(rows),
        failed=sum(row.status == "failed" for row in rows),
        seconds=time.monotonic() - started,
        new_tokens=sum(row.new_tokens or 0 for row in rows),
    )


def _batches(rows: list[Row], size: int) -> Iterator[list[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _answer(
    batch: list[Row], engine: Engine, preprocessor: Preprocessor, store: FrameStore, max_new_tokens: int
) -> list[AnswerRow]:
    started = time.monotonic()
    prompts = [preprocessor.prompt(messages_of(row)[:-1], store.frames(row["video"])) for row in batch]
    answers = engine.answer(prompts, max_new_tokens)
    share = (time.monotonic() - started) / len(batch)
    return [_row(row, answer, share) for row, answer in zip(batch, answers, strict=True)]


def _row(row: Row, answer: Answer, latency_s: float) -> AnswerRow:
    return AnswerRow(
        id=row["id"],
        video=row["video"],
        group=row["group"],
        label=row["label"],
        question=row["question"],
        reference=row["answer"],
        status="ok",
        answer=answer.text,
        mean_token_logprob=answer.mean_token_logprob,
        new_tokens=answer.new_tokens,
        latency_s=latency_s,
    )
