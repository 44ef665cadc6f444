"""Choosing the best checkpoint by the task's own metric: the model answers rows of the validation split, and is scored.

This is why training stands above inference and evaluation in the order of imports: it asks and scores with the same code.
"""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from peft import PeftModel

from videoguard.dataset.answer_schema import load_answer_schema
from videoguard.dataset.building import messages_of
from videoguard.errors import UserError
from videoguard.evaluation.metrics.building import build_metric
from videoguard.evaluation.metrics.row_metric import RowMetric
from videoguard.evaluation.resources import MissingResourceError
from videoguard.frames.store import FrameStore
from videoguard.inference.engine import Engine
from videoguard.inference.structured.answers import JsonAnswers, generation_settings
from videoguard.models.media import TimedFrames
from videoguard.models.preprocessing import Example, Preprocessor
from videoguard.training.request import Scoring

Row = Mapping[str, Any]


class AnswerScore:
    """Mean score of a model's answers to some rows, shared among the processes of a training.

    Raises:
        UserError: there is no row, the metric lacks what it needs, or it can score none of the wanted answers.
    """

    def __init__(self, scoring: Scoring, rows: Sequence[Row], preprocessor: Preprocessor, frames: FrameStore | None) -> None:
        if not rows:
            raise UserError(
                f"training.metric is {scoring.metric}: there is no validation split to choose by; raise dataset.validation, "
                "or take the metric loss, with which the last adapter is kept"
            )
        self._scoring = scoring
        self._rows = _spread(rows, scoring.samples)
        self._preprocessor = preprocessor
        self._frames = frames
        self._cache = tempfile.TemporaryDirectory(prefix="video-guard-metric-")
        self._metric = _build(scoring, self._cache.name)
        wanted = [row["answer"] for row in self._rows]
        found = self._metric.compute(predictions=wanted, references=wanted)
        if all(score is None for score in found["scores"]):
            raise UserError(
                f"training.metric is {scoring.metric}: it scores no answer of the validation split ({found['reasons'][0]}); "
                "take another metric"
            )

    def __call__(self, model: PeftModel) -> float:
        """Answer all rows; higher is better. Every process calls this, and gets the same."""
        return self.score(self._answers(model))

    def score(self, answers: list[str]) -> float:
        """Mean score of answers to the rows, in their order; what cannot be scored is left out."""
        found = self._metric.compute(predictions=answers, references=[row["answer"] for row in self._rows])
        scores = [score for score in found["scores"] if score is not None]
        return sum(scores) / len(scores)

    def _answers(self, model: PeftModel) -> list[str]:
        processes, rank = (torch.distributed.get_world_size(), torch.distributed.get_rank()) if _is_group() else (1, 0)
        # As many for each process: where the weights are spread over them, all must take every step of the generation.
        share = -(-len(self._rows) // processes)
        mine = [self._rows[(rank + turn * processes) % len(self._rows)] for turn in range(share)]
        size = self._scoring.batch_size
        schema = self._scoring.answer_schema
        json = None if schema is None else JsonAnswers(load_answer_schema(schema))
        engine = Engine(model, self._preprocessor, size)
        settings = generation_settings(self._scoring.max_new_tokens, json, engine)
        own: list[str] = []
        for start in range(0, share, size):
            prompts = [self._prompt(row) for row in mine[start : start + size]]
            own += [answer.text for answer in engine.answer(prompts, settings)]
        if not _is_group():
            return own
        gathered: list[list[str]] = [[] for _ in range(processes)]
        torch.distributed.all_gather_object(gathered, own)
        return [gathered[place % processes][place // processes] for place in range(len(self._rows))]

    def _prompt(self, row: Row) -> Example:
        messages = messages_of(row)[:-1]
        if row["video"] is None or self._frames is None:
            return self._preprocessor.prompt(messages)
        shown = TimedFrames(self._frames.frames(row["video"]), self._frames.timestamps(row["video"]))
        return self._preprocessor.prompt(messages, shown)


def _build(scoring: Scoring, cache: str) -> RowMetric:
    try:
        return build_metric(
            scoring.metric,
            sentence_model=scoring.sentence_model,
            state=scoring.state,
            cache_dir=cache,
            answer_schema=None if scoring.answer_schema is None else load_answer_schema(scoring.answer_schema),
        )
    except MissingResourceError as missing:
        raise UserError(f"training.metric is {scoring.metric}: {missing}") from None


def _spread(rows: Sequence[Row], wanted: int) -> list[Row]:
    """At most so many rows, at even distances."""
    count = min(wanted, len(rows))
    return [rows[place * len(rows) // count] for place in range(count)]


def _is_group() -> bool:
    return torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
