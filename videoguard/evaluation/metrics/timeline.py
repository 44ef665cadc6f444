"""The fan timeline: whether an answer is one, what of the wanted one it covers, how the fans took it, what it repeats."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from videoguard.evaluation.metrics.library import Metric, MetricInfo
from videoguard.evaluation.metrics.row_metric import Named, RowResults
from videoguard.evaluation.metrics.row_scoring import metric_info, score_rows
from videoguard.manifests.labels import parse_json

Sentiment = Literal["pos", "neg", "mixed"]
SENTIMENTS: tuple[Sentiment, ...] = ("pos", "neg", "mixed")

_CLOCK = re.compile(r"(Q[1-4]|OT[1-9]) [0-9]{2}:[0-9]{2}")
_WORD = re.compile(r"\w+")
_SAME_EVENT = 0.8
_NOT_WANTED = "no timeline was wanted"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a timeline; None where the entry lacks the field, or it is no text."""

    time: str | None
    event: str | None
    sentiment: str | None

    @property
    def is_whole(self) -> bool:
        """Whether it has a period and a game clock, an event, and one of the three sentiments."""
        has_time = self.time is not None and _CLOCK.fullmatch(self.time) is not None
        return has_time and bool(self.event and self.event.strip()) and self.sentiment in SENTIMENTS


def read_timeline(text: str) -> list[Entry] | None:
    """Entries of an answer `{"timeline": [{"ts", "event", "fan_sentiment"}]}`; None where it is no such list."""
    value = parse_json(text)
    entries = value.get("timeline") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return None
    return [_entry(entry) for entry in entries]


class TimelineValid(Metric):  # type: ignore[misc]  # the library has no types
    """1 where the answer is a timeline whose every entry is whole, and that has one at all; else 0."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the answers that are timelines of whole entries.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=_valid)


class TimelineCoverage(Metric):  # type: ignore[misc]  # the library has no types
    """Share of the wanted entries' times that the answer has an entry of, from 0 to 1; what is no timeline covers none."""

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the wanted times that the answer covers.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        return score_rows(predictions, references, reason_against=_reason_against, score=_coverage)


class TimelineSentiment(Metric):  # type: ignore[misc]  # the library has no types
    """Share of the wanted entries whose sentiment the answer has at the same time, from 0 to 1.

    Its classes are the sentiments; their macro-F1 is the figure to quote. An entry that the answer lacks names none.
    """

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the wanted sentiments that the answer has.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        found = score_rows(predictions, references, reason_against=_sentiment_reason, score=_sentiment)
        classes: list[list[Named]] = [
            [] if scored is None else _named_sentiments(prediction, reference)
            for scored, prediction, reference in zip(found["scores"], predictions, references, strict=True)
        ]
        return RowResults(scores=found["scores"], reasons=found["reasons"], classes=classes)


class TimelineRedundancy(Metric):  # type: ignore[misc]  # the library has no types
    """Share of the answer's events that repeat an earlier one, from 0 to 1; lower is better, and at most 0.1 is wanted.

    Two events are the same where they share at least four fifths of their distinct words (Jaccard).
    """

    def __init__(self, cache_dir: str) -> None:
        super().__init__(cache_dir=cache_dir, keep_in_memory=True)

    def _info(self) -> MetricInfo:
        return metric_info("Share of the events of an answer that repeat an earlier one.", "")

    def _compute(self, predictions: list[str], references: list[str]) -> RowResults:
        shares = {text: _redundancy(text) for text in set(predictions)}
        scores = [shares[text] for text in predictions]
        return RowResults(
            scores=scores, reasons=["the answer is no timeline with events" if score is None else None for score in scores]
        )


def _entry(value: object) -> Entry:
    def text(key: str) -> str | None:
        found = value.get(key) if isinstance(value, dict) else None
        return found if isinstance(found, str) else None

    return Entry(text("ts"), text("event"), text("fan_sentiment"))


def _reason_against(reference: str) -> str | None:
    return None if read_timeline(reference) else _NOT_WANTED


def _sentiment_reason(reference: str) -> str | None:
    if against := _reason_against(reference):
        return against
    has_one = any(entry.sentiment in SENTIMENTS for entry in read_timeline(reference) or [])
    return None if has_one else "the wanted timeline has no sentiment"


def _valid(predictions: list[str], references: list[str]) -> list[float]:
    assert len(predictions) == len(references)
    found = [read_timeline(prediction) for prediction in predictions]
    return [float(bool(entries) and all(entry.is_whole for entry in entries or [])) for entries in found]


def _coverage(predictions: list[str], references: list[str]) -> list[float]:
    shares = []
    for prediction, reference in zip(predictions, references, strict=True):
        wanted = _times(read_timeline(reference) or [])
        shares.append(len(wanted & _times(read_timeline(prediction) or [])) / len(wanted))
    return shares


def _times(entries: Sequence[Entry]) -> set[str]:
    return {_tidy(entry.time or "") for entry in entries}


def _sentiment(predictions: list[str], references: list[str]) -> list[float]:
    shares = []
    for prediction, reference in zip(predictions, references, strict=True):
        pairs = _named_sentiments(prediction, reference)
        shares.append(sum(wanted == named for wanted, named in pairs) / len(pairs))
    return shares


def _named_sentiments(prediction: str, reference: str) -> list[Named]:
    """Wanted and answered sentiment of each wanted entry; entries of one time are matched in their order."""
    answered: dict[str, list[str | None]] = {}
    for entry in read_timeline(prediction) or []:
        named = entry.sentiment if entry.sentiment in SENTIMENTS else None
        answered.setdefault(_tidy(entry.time or ""), []).append(named)
    pairs: list[Named] = []
    for entry in read_timeline(reference) or []:
        if entry.sentiment in SENTIMENTS and entry.sentiment is not None:
            at_time = answered.get(_tidy(entry.time or ""), [])
            pairs.append((entry.sentiment, at_time.pop(0) if at_time else None))
    return pairs


def _redundancy(text: str) -> float | None:
    events = [set(_WORD.findall(entry.event.casefold())) for entry in read_timeline(text) or [] if entry.event]
    if not events:
        return None
    repeated = sum(any(_are_same(event, earlier) for earlier in events[:place]) for place, event in enumerate(events))
    return repeated / len(events)


def _are_same(first: set[str], second: set[str]) -> bool:
    union = len(first | second)
    return union == 0 or len(first & second) / union >= _SAME_EVENT


def _tidy(time: str) -> str:
    return " ".join(time.upper().split())
