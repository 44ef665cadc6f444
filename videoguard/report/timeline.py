"""Timelines entry by entry: what was wanted at a time, and what was answered."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from videoguard.manifests.labels import parse_json
from videoguard.report.content import ReportContent
from videoguard.report.figures import side_by_side

MOST_ENTRIES = 5_000
"""Most entries that a report shows; the rest are in the answers of Results."""

_METRICS = "timeline_"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a timeline; what it lacks is empty."""

    time: str
    event: str
    sentiment: str


@dataclass(frozen=True, slots=True)
class EntryPair:
    """What was wanted at a time and what was answered; one of both may be absent."""

    sample: str
    wanted: Entry | None
    answered: Entry | None

    @property
    def is_same_sentiment(self) -> bool | None:
        """Whether both have the same sentiment; None where one of both is absent."""
        if self.wanted is None or self.answered is None:
            return None
        return self.wanted.sentiment == self.answered.sentiment


def has_timelines(content: ReportContent) -> bool:
    """Whether the samples were measured as timelines."""
    return any(
        name.startswith(_METRICS) and figures.n > 0
        for model in content.models
        for name, figures in model.evaluation.summary.items()
    )


def entry_pairs(content: ReportContent) -> Iterator[EntryPair]:
    """Every entry of the last model's samples: the wanted ones in their order, then what was answered beside them.

    Entries belong together by their time; where a time comes several times, by their order.
    """
    for line in side_by_side(content.models):
        wanted = _entries(line.known.reference)
        if not wanted:
            continue
        main = line.rows[-1]
        left: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in [] if main is None or main.answer is None else _entries(main.answer):
            left[entry.time].append(entry)
        for entry in wanted:
            found = left[entry.time]
            yield EntryPair(line.known.id, entry, found.pop(0) if found else None)
        for entry in (entry for entries in left.values() for entry in entries):
            yield EntryPair(line.known.id, None, entry)


def _entries(text: str) -> list[Entry]:
    value = parse_json(text)
    entries = value.get("timeline") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return []
    return [_entry(entry) for entry in entries if isinstance(entry, dict)]


def _entry(entry: dict[object, object]) -> Entry:
    return Entry(*(str(entry.get(name, "")) for name in ("ts", "event", "fan_sentiment")))
