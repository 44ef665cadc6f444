"""Samples in, the rows of each model out; what was answered before is read from the row store."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from videoguard.digests import digest_media
from videoguard.frames.extraction import assign_shards, extract_shard
from videoguard.frames.index import index_frames
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import FrameStore
from videoguard.inference.answering import Answerer, decided_by, failed_row, row_key, row_of
from videoguard.inference.engine import Engine
from videoguard.inference.label_form import LabelForm
from videoguard.inference.label_scores import LabelScorer
from videoguard.inference.prompts import Question
from videoguard.inference.row_store import RowStore
from videoguard.inference.rows import AnswerRow
from videoguard.inference.shared_base import SharedBase
from videoguard.inference.structured.answers import JsonAnswers, generation_settings
from videoguard.inference.views import ONE_LOOK, WHOLE, Looks, View, window_times
from videoguard.manifests.sample import MediaSource, Sample, files_of, media_sources
from videoguard.prediction.models import AskedModel
from videoguard.prediction.questions import ask

_DECODED_AT_ONCE = 64
_DIGESTED_AT_ONCE = 8
_DECODING_SECONDS = 120.0


@dataclass(frozen=True)
class PredictionSettings:
    """How models are asked."""

    max_new_tokens: int = 256
    question: str | None = None
    """In place of the questions of samples and training."""
    batch_size: int = 32
    workers: int = 2
    """Processes that decode videos, and that prepare prompts."""
    device: str = "auto"
    looks: Looks = ONE_LOOK
    """Windows of long videos, and changed copies."""
    json: JsonAnswers | None = None
    """What is done about answers that are JSON; None where they are text."""
    labels: LabelForm | None = None
    """The labels to score for each question, and how answers write them; None where that is not wanted."""


@dataclass
class _Asking:
    """One model, and what it is still to be asked."""

    model: AskedModel
    questions: list[Question]
    keys: list[str]
    rows: dict[int, AnswerRow] = field(default_factory=dict)


@dataclass(frozen=True)
class Listener:
    """Who is told how far it is."""

    on_progress: Callable[[int, int], None] = lambda done, of: None
    """Called with the number of rows that there are, and that there will be."""
    on_note: Callable[[str], None] = lambda note: None


def predict(
    samples: Sequence[Sample],
    models: Sequence[AskedModel],
    settings: PredictionSettings,
    store: RowStore,
    listener: Listener | None = None,
) -> list[list[AnswerRow]]:
    """The rows of each model, in the order of the samples.

    Answers are stored as they are finished. Models on one base share it. A video is decoded once for all models that
    sample it alike, and only where one of them has not answered yet.

    Raises:
        UserError: a sample has no question, or an adapter does not fit its base.
    """
    told = listener or Listener()
    sources = media_sources(samples)
    digests = _digest(sources)
    asked = [_begin(model, samples, settings, digests, store) for model in models]
    total = len(samples) * len(models)

    def tell() -> None:
        told.on_progress(sum(len(each.rows) for each in asked), total)

    kept = sum(len(each.rows) for each in asked)
    if kept:
        told.on_note(f"{kept} answers kept")
    tell()
    for asking in asked:
        _refuse(asking, digests)
    for group in _by_base(asked):
        _answer(group, sources, digests, settings, store, tell, told.on_note)
    return [[asking.rows[number] for number in range(len(samples))] for asking in asked]


def _begin(
    model: AskedModel,
    samples: Sequence[Sample],
    settings: PredictionSettings,
    digests: Mapping[str, str | None],
    store: RowStore,
) -> _Asking:
    questions = ask(samples, model.record, settings.question)
    rule = settings.looks.rule(model.record.frame_rule())
    longest, asked_for = settings.max_new_tokens, (settings.json, settings.labels)
    decided = decided_by(model.base.digest, model.adapter, model.loaded, rule, longest, *asked_for)
    if not settings.looks.is_one:
        decided["looks"] = settings.looks.decides()
    keys = [row_key(question, digests.get(question.video or ""), decided) for question in questions]
    stored = store.find(keys)
    rows = {number: row_of(questions[number], stored[key]) for number, key in enumerate(keys) if key in stored}
    return _Asking(model, questions, keys, rows)


def _refuse(asking: _Asking, digests: Mapping[str, str | None]) -> None:
    """Rows of what the model cannot be asked."""
    reads_text = asking.model.record.text_only
    for number, question in enumerate(asking.questions):
        if question.video is not None and digests[question.video] is None:
            asking.rows[number] = failed_row(question, "the file is missing")
        elif question.video is not None and reads_text:
            asking.rows[number] = failed_row(question, "the model reads text alone: give no video")


def _by_base(asked: Sequence[_Asking]) -> list[list[_Asking]]:
    """Models that share one loaded base and one sampling rule, and have something to answer."""
    groups: dict[object, list[_Asking]] = {}
    for asking in asked:
        model = asking.model
        key = (model.base.digest, tuple(sorted(model.loaded.items())), model.record.frame_rule())
        groups.setdefault(key, []).append(asking)
    return [group for group in groups.values() if any(len(each.rows) < len(each.questions) for each in group)]


def _answer(
    group: Sequence[_Asking],
    sources: Mapping[str, MediaSource],
    digests: Mapping[str, str | None],
    settings: PredictionSettings,
    store: RowStore,
    tell: Callable[[], None],
    note: Callable[[str], None],
) -> None:
    first = group[0].model
    shared = SharedBase(first.base, device=settings.device, **first.loaded)
    for asking in group:
        if asking.model.adapter is not None:
            shared.require_fit(asking.model.adapter)
    rule = settings.looks.rule(first.record.frame_rule())
    count = len(group[0].questions)
    missing = [number for number in range(count) if any(number not in each.rows for each in group)]
    for start in range(0, len(missing), _DECODED_AT_ONCE):
        chunk = missing[start : start + _DECODED_AT_ONCE]
        shown = {group[0].questions[number].video for number in chunk}
        media = {video: digests[video] for video in shown if video is not None}
        with _decoded(media, sources, rule, settings.workers) as frames:
            for asking in group:
                with shared.using(asking.model.adapter) as model:
                    engine = Engine(model, shared.preprocessor, settings.batch_size, note)
                    generation = generation_settings(settings.max_new_tokens, settings.json, engine)
                    scorer = None if settings.labels is None else LabelScorer(engine, settings.labels)
                    answerer = Answerer(engine, frames, generation, settings.workers, settings.json, scorer)
                    _answer_chunk(asking, chunk, answerer, settings.looks, store, tell)


def _answer_chunk(
    asking: _Asking,
    chunk: Sequence[int],
    answerer: Answerer,
    looks: Looks,
    store: RowStore,
    tell: Callable[[], None],
) -> None:
    quarantine = dict(answerer.frames.quarantine()) if answerer.frames is not None else {}
    left = [number for number in chunk if number not in asking.rows]
    for number in left:
        question = asking.questions[number]
        if question.video in quarantine:
            asking.rows[number] = failed_row(question, quarantine[question.video])
    left = [number for number in left if number not in asking.rows]
    questions = [asking.questions[number] for number in left]
    looked = answerer.answer(questions) if looks.is_one else _look(questions, asking.model.record.frames, answerer, looks)
    for group in looked:
        made = {left[place]: row for place, row in group.items()}
        store.add({asking.keys[number]: row for number, row in made.items()})
        asking.rows |= made
        tell()


def _look(questions: Sequence[Question], window: int, answerer: Answerer, looks: Looks) -> Iterator[dict[int, AnswerRow]]:
    """Rows of questions by their numbers, each as soon as all looks at its video have their answers."""
    frames = answerer.frames
    views = [_views(question, window, frames, looks) for question in questions]
    flat = [(number, place, copy) for number, each in enumerate(views) for place in range(len(each)) for copy in each[place]]
    waiting = Counter(number for number, _, _ in flat)
    found: dict[int, AnswerRow] = {}
    for group in answerer.answer([replace(questions[number], view=view) for number, _, view in flat]):
        found |= group
        waiting.subtract(flat[index][0] for index in group)
        done = {number for number, left in waiting.items() if left == 0}
        rows: dict[int, list[list[AnswerRow]]] = {number: [[] for _ in views[number]] for number in done}
        for index, (number, place, _) in enumerate(flat):
            if number in done:
                rows[number][place].append(found.pop(index))
        for number in done:
            del waiting[number]
        if done:
            yield {
                number: looks.merge_rows(rows[number], _times(questions[number], views[number], frames)) for number in done
            }


def _views(question: Question, window: int, frames: FrameStore | None, looks: Looks) -> list[list[View]]:
    if question.video is None or frames is None or question.video not in frames.digests:
        return [[WHOLE]]
    return looks.views(frames.shape(question.video)[0], window, frames.digest_of(question.video))


def _times(question: Question, views: Sequence[Sequence[View]], frames: FrameStore | None) -> list[tuple[float, float]]:
    """Start and end of each window, seconds."""
    if question.video is None or frames is None or question.video not in frames.digests:
        return [(0.0, 0.0) for _ in views]
    return window_times(frames.timestamps(question.video), views)


@contextmanager
def _decoded(
    media: Mapping[str, str | None], sources: Mapping[str, MediaSource], rule: FrameRule, workers: int
) -> Iterator[FrameStore | None]:
    """The frames of videos while the block lasts; None where there is no video."""
    contents = {digest: sources[video] for video, digest in media.items() if digest is not None}
    if not contents:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="video-guard-") as place:
        index, shard = Path(place, "index"), Path(place, "shard")
        index.mkdir()
        shard.mkdir()
        (digests,) = assign_shards(sorted(contents), 1).values()
        extract_shard(
            {digest: contents[digest] for digest in digests}, rule, shard, workers=workers, timeout_s=_DECODING_SECONDS
        )
        index_frames(media, [shard], index)
        yield FrameStore(index, [shard])


def _digest(sources: Mapping[str, MediaSource]) -> dict[str, str | None]:
    """Digest of the content of each clip; None where a file is missing."""
    with ThreadPoolExecutor(_DIGESTED_AT_ONCE) as threads:
        return dict(zip(sources, threads.map(_digest_or_none, sources.values()), strict=True))


def _digest_or_none(source: MediaSource) -> str | None:
    return digest_media(source) if all(file.is_file() for file in files_of(source)) else None
