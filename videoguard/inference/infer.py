"""Answers for the test split of a dataset, a row a sample."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from videoguard.dataset.building import messages_of, read_split
from videoguard.frames.store import FrameStore
from videoguard.inference.answering import Answerer, decided_by, row_key, row_of
from videoguard.inference.engine import Engine
from videoguard.inference.label_form import LabelForm, find_label_form
from videoguard.inference.label_scores import LabelScorer
from videoguard.inference.prompts import Question
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.inference.row_store import RowStore
from videoguard.inference.rows import AnswerRow, write_rows
from videoguard.inference.shared_base import share_base
from videoguard.inference.structured.answers import JsonAnswers, free_settings, generation_settings, json_answers
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.loading import load_processor, usable_device
from videoguard.models.preprocessing import Preprocessor, digest_processor, frame_rule_of, make_record, read_record

ROWS = "rows.jsonl"
Row = Mapping[str, Any]
Emit = Callable[[dict[str, object]], None]


def infer(request: InferenceRequest, emit: Emit) -> InferenceReply:
    """Answer every test sample of the shard, and write `rows.jsonl` in the order of the split.

    Answers go to the row store as they are finished, and what stands there is not asked again: an inference that was killed
    goes on where it was, a changed data set costs its new rows. The model is not loaded where nothing is left to do. A
    sample that cannot be answered becomes a failed row.

    Args:
        request: which model answers what.
        emit: called with `{"step", "of", "metrics"}` as rows are finished, and a `"note"` where answers were kept or less
            memory is there than was asked for.

    Raises:
        UserError: the model is refused, or the adapter was trained with another preprocessing (both values are named).
    """
    split = [row for row in read_split(request.dataset, "test") if in_shard(row["group"], request.shard, request.shards)]
    questions = [question_of(row) for row in split]
    frames = None if request.frame_store is None else FrameStore(request.frame_store, request.frame_shards)
    base = find_base(request.base, request.revision)
    labels = _label_form(request)
    keys = _keys(request, base, questions, frames, labels)
    store = RowStore(request.row_store)
    stored = store.find(keys, request.since)
    rows = {number: row_of(questions[number], stored[key]) for number, key in enumerate(keys) if key in stored}
    if rows:
        emit({"step": len(rows), "of": len(split), "metrics": {}, "note": f"{len(rows)} answers kept"})
    missing = [number for number in range(len(split)) if number not in rows]
    if missing:
        note = _noting(emit, rows, len(split))
        with _loaded(request, base, frames, note, labels) as answerer:
            for group in answerer.answer([questions[number] for number in missing]):
                made = {missing[place]: row for place, row in group.items()}
                store.add({keys[number]: row for number, row in made.items()})
                rows |= made
                emit({"step": len(rows), "of": len(split), "metrics": {}})
    in_order = [rows[number] for number in range(len(split))]
    write_rows(request.output / ROWS, in_order)
    return InferenceReply(
        rows=len(in_order),
        failed=sum(row.status == "failed" for row in in_order),
        repaired=sum(row.generated is not None for row in in_order),
        computed=len(missing),
        seconds=sum(row.latency_s or 0.0 for row in in_order),
        new_tokens=sum(row.new_tokens or 0 for row in in_order),
    )


def in_shard(group: str, shard: int, shards: int) -> bool:
    """Whether the rows of a group (SHA-256 of its content, hexadecimal) belong to a shard."""
    return int(group[:8], 16) % shards == shard


def question_of(row: Row) -> Question:
    """What is asked about a row of a dataset."""
    sample = {name: row[name] for name in ("id", "video", "group", "label", "question")}
    return Question({**sample, "reference": row["answer"]}, messages_of(row)[:-1])


def _label_form(request: InferenceRequest) -> LabelForm | None:
    if not request.inference.label_scores:
        return None
    return find_label_form((row["answer"], row["label"]) for row in read_split(request.dataset, "train"))


def _keys(
    request: InferenceRequest,
    base: BaseModelFolder,
    questions: Sequence[Question],
    frames: FrameStore | None,
    labels: LabelForm | None,
) -> list[str]:
    decided = decided_by(
        base.digest,
        request.adapter,
        {"dtype": request.dtype, "quantization": request.quantization, "attention": request.attention},
        frame_rule_of(request.frames),
        request.inference.max_new_tokens,
        json_answers(request.answer_schema, request.inference),
        labels,
        request.inference.engine,
    )
    digests = {} if frames is None else frames.digests
    return [row_key(question, digests.get(question.video or ""), decided) for question in questions]


def _noting(emit: Emit, rows: Mapping[int, AnswerRow], of: int) -> Callable[[str], None]:
    return lambda message: emit({"step": len(rows), "of": of, "metrics": {}, "note": message})


@contextmanager
def _loaded(
    request: InferenceRequest,
    base: BaseModelFolder,
    frames: FrameStore | None,
    note: Callable[[str], None],
    labels: LabelForm | None,
) -> Iterator[Answerer]:
    inference = request.inference
    json = json_answers(request.answer_schema, inference)
    if inference.engine == "vllm":
        processor = load_processor(base)
        require_same_preprocessing(request, base, digest_processor(processor))
        yield _load_vllm(request, base, Preprocessor(processor, base.family), frames, json)
        return
    device = usable_device(inference.device, request.shard)
    shared = share_base(base, request.dtype, quantization=request.quantization, attention=request.attention, device=device)
    require_same_preprocessing(request, base, shared.processor_digest)
    with shared.using_once(request.adapter) as model:
        engine = Engine(model, shared.preprocessor, inference.batch_size, note)
        settings = generation_settings(inference.max_new_tokens, json, engine)
        scorer = None if labels is None else LabelScorer(engine, labels)
        yield Answerer(engine, frames, settings, inference.workers, json, scorer)


def require_same_preprocessing(request: InferenceRequest, base: BaseModelFolder, processor_digest: str) -> None:
    """Raise `UserError`, with both values, where the adapter was trained with another preprocessing than is asked for."""
    if request.adapter is None:
        return
    asked = make_record(
        base,
        processor_digest,
        request.frames,
        base_name=request.base_name,
        system_prompt=request.system_prompt,
        question=request.question,
        text_only=request.frame_store is None,
    )
    read_record(request.adapter).require_same(asked, request.adapter)


def _load_vllm(
    request: InferenceRequest,
    base: BaseModelFolder,
    preprocessor: Preprocessor,
    frames: FrameStore | None,
    json: JsonAnswers | None,
) -> Answerer:
    # An extra, which nothing else needs.
    from videoguard.inference.vllm_engine import VllmEngine

    schema = json.schema.content if json is not None and json.constrained else None
    batch_size = request.inference.batch_size
    engine = VllmEngine(base, preprocessor, request.dtype, request.adapter, batch_size, schema)
    return Answerer(engine, frames, free_settings(request.inference.max_new_tokens, json, preprocessor), json=json)
