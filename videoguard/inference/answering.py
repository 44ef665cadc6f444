"""Questions in, rows out, in whatever order they are finished."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from videoguard.digests import digest_file, digest_json, digest_source
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import FrameStore
from videoguard.inference.fingerprint import INFERENCE_SOURCE
from videoguard.inference.generation import Answer, AnswersPrompts, GenerationSettings, Unanswered
from videoguard.inference.label_form import LabelForm
from videoguard.inference.label_scores import LabelScorer
from videoguard.inference.prompts import Prepared, Prompts, Question, prepare_ahead
from videoguard.inference.row_store import StoredAnswer
from videoguard.inference.rows import AnswerRow
from videoguard.inference.structured.answers import CountedAnswer, JsonAnswers
from videoguard.models.preprocessing import RECORD, Example

# A group of finished rows is handed on when it is this share of a batch, or this old.
_GROUP_SHARE = 0.25
_GROUP_SECONDS = 1.0
# What comes after them depends on which answers were written side by side.
_DECIMALS = 4


@dataclass(frozen=True)
class Answerer:
    """A loaded model, and the frames that it is asked about."""

    engine: AnswersPrompts
    frames: FrameStore | None
    """None where the questions are text alone."""
    settings: GenerationSettings
    workers: int = 0
    """Processes that prepare prompts ahead of the model."""
    json: JsonAnswers | None = None
    """What is done about answers that are JSON; None where they are text."""
    labels: LabelScorer | None = None
    """Scores the known labels for each question; None where that is not wanted."""

    def answer(self, questions: Sequence[Question]) -> Iterator[dict[int, AnswerRow]]:
        """The rows of questions by their numbers, a few at a time as they are finished. Each question gets a row."""
        prompts = Prompts(questions, self.frames, self.engine.reader)
        held: dict[int, Example] = {}
        finished = self._outcomes(prepare_ahead(prompts, prompts.by_length(), self.workers), held)
        size = max(1, round(self.engine.batch_size * _GROUP_SHARE))
        started = time.monotonic()
        group: dict[int, Answer | str] = {}
        for number, outcome in finished:
            group[number] = outcome
            now = time.monotonic()
            if len(group) >= size or now - started >= _GROUP_SECONDS:
                yield self._rows(questions, group, held, started)
                group, started = {}, time.monotonic()
        if group:
            yield self._rows(questions, group, held, started)

    def _outcomes(
        self, prepared: Iterator[tuple[int, Prepared]], held: dict[int, Example]
    ) -> Iterator[tuple[int, Answer | str]]:
        refused: list[tuple[int, str]] = []

        def prompts() -> Iterator[tuple[int, Example]]:
            for number, prompt in prepared:
                if isinstance(prompt, str):
                    refused.append((number, prompt))
                else:
                    if self.labels is not None:
                        held[number] = prompt
                    yield number, prompt

        for number, outcome in self.engine.answer_all(prompts(), self.settings):
            yield number, outcome.reason if isinstance(outcome, Unanswered) else outcome
        yield from refused

    def _rows(
        self, questions: Sequence[Question], group: Mapping[int, Answer | str], held: dict[int, Example], started: float
    ) -> dict[int, AnswerRow]:
        answers = {number: outcome for number, outcome in group.items() if not isinstance(outcome, str)}
        labels = self._score_labels(answers, {number: held.pop(number) for number in group if number in held})
        seconds = time.monotonic() - started
        rows: dict[int, AnswerRow] = {}
        for number, outcome in group.items():
            if isinstance(outcome, str):
                rows[number] = failed_row(questions[number], outcome)
            else:
                told = {**self._told(outcome), **labels.get(number, {}), "latency_s": seconds / len(answers)}
                rows[number] = AnswerRow(**questions[number].sample, **told)
        return rows

    def _told(self, answer: Answer) -> dict[str, Any]:
        counted = CountedAnswer(answer.text) if self.json is None else self.json.count(answer)
        mean = answer.mean_token_logprob
        return {
            "status": "ok",
            "answer": counted.answer,
            "generated": counted.generated,
            "mean_token_logprob": None if mean is None else round(mean, _DECIMALS),
            "new_tokens": answer.new_tokens,
        }

    def _score_labels(self, answers: Mapping[int, Answer], prompts: Mapping[int, Example]) -> dict[int, dict[str, Any]]:
        if self.labels is None:
            return {}
        numbers = list(answers)
        scores = self.labels.score([prompts[number] for number in numbers], [answers[number].text for number in numbers])
        return {
            number: {"predicted_label": score.label, "label_probability": round(score.probability, _DECIMALS)}
            for number, score in zip(numbers, scores, strict=True)
            if score is not None
        }


def row_key(question: Question, media_digest: str | None, decided_by: Mapping[str, object]) -> str:
    """What an answer is stored under: the digest of all that decides it.

    Args:
        question: the conversation counts, and not the sample's name or wanted answer.
        media_digest: of the content that is shown.
        decided_by: model, generation settings and preprocessing, as `decided_by` tells them.
    """
    messages = [
        {"role": message["role"], "content": [[part["type"], part.get("text")] for part in message["content"]]}
        for message in question.messages
    ]
    return digest_json({"media": media_digest, "messages": messages, **decided_by})


def decided_by(
    base_digest: str,
    adapter: Path | None,
    loaded: Mapping[str, object],
    rule: FrameRule,
    longest: int,
    json: JsonAnswers | None = None,
    labels: LabelForm | None = None,
    engine: str = "transformers",
) -> dict[str, object]:
    """What decides every answer of one model alike.

    Args:
        base_digest: of the base model with its processor.
        adapter: folder of the adapter; None where there is none.
        loaded: how the weights are loaded.
        rule: how videos are sampled.
        longest: longest answer, tokens.
        json: what is done about answers that are JSON.
        labels: the labels that are scored, and how answers write them.
        engine: the package that generates.
    """
    sampling = {name: value for name, value in asdict(rule).items() if name != "limits"}
    return {
        "code": digest_source(INFERENCE_SOURCE),
        "engine": f"{engine} {version(engine)}",
        "base": base_digest,
        "adapter": None if adapter is None else _digest_adapter(adapter),
        "loaded": dict(loaded),
        "frames": sampling,
        "max_new_tokens": longest,
        "json": None if json is None else json.decisions,
        "labels": None if labels is None else asdict(labels),
    }


def row_of(question: Question, stored: StoredAnswer) -> AnswerRow:
    """The row of a question whose answer is known."""
    return AnswerRow(**question.sample, status="ok", **stored.model_dump())


def failed_row(question: Question, reason: str) -> AnswerRow:
    """The row of a question that has no answer."""
    return AnswerRow(**question.sample, status="failed", error=reason)


def _digest_adapter(folder: Path) -> str:
    """Of the weights, their settings and the preprocessing record, wherever the adapter was copied to."""
    named = [*sorted(folder.glob("*.safetensors")), folder / "adapter_config.json", folder / RECORD]
    return digest_json({file.name: digest_file(file) for file in named if file.is_file()})
