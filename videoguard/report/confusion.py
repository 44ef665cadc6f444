"""Which exercises are taken for which."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from videoguard.manifests.labels import normalize_name
from videoguard.report.content import ModelResult
from videoguard.report.figures import score_of
from videoguard.report.wording import EXERCISE

NO_NAME = "(no exercise named)"
UNKNOWN = "(another name)"
OTHERS = "(other exercises)"


@dataclass(frozen=True)
class Confusion:
    """What one model named, by what was wanted; only samples whose exercise was judged."""

    classes: list[str]
    """Every wanted exercise, in their alphabetical order."""
    pairs: Counter[tuple[str, str | None]]
    """Samples by wanted and named exercise. A named one is spelled as it was wanted, where it was; None names nothing."""

    @property
    def wanted(self) -> Counter[str]:
        """Samples of each wanted exercise."""
        counts: Counter[str] = Counter()
        for (wanted, _), samples in self.pairs.items():
            counts[wanted] += samples
        return counts

    @property
    def mistakes(self) -> list[tuple[str, str | None, int]]:
        """What was taken for what, and how often: the most frequent first."""
        wrong = [(wanted, named, samples) for (wanted, named), samples in self.pairs.items() if wanted != named]
        return sorted(wrong, key=lambda mistake: (-mistake[2], mistake[0], mistake[1] or ""))

    def most_confused(self, most: int) -> list[str]:
        """At most so many classes, in their order: those with a part in the most mistakes, either way."""
        parts: Counter[str] = Counter(dict.fromkeys(self.classes, 0))
        for wanted, named, samples in self.mistakes:
            parts[wanted] += samples
            if named in parts:
                parts[named] += samples
        chosen = {label for label, _ in sorted(parts.items(), key=lambda part: (-part[1], part[0]))[:most]}
        return [label for label in self.classes if label in chosen]

    def row(self, wanted: str, columns: list[str]) -> dict[str, int]:
        """Samples of one wanted exercise by what was named: the columns, and what stands in none of them."""
        counts = Counter(dict.fromkeys([*columns, OTHERS, UNKNOWN, NO_NAME], 0))
        known = set(self.classes)
        for (label, named), samples in self.pairs.items():
            if label == wanted:
                counts[_column(named, columns, known)] += samples
        return dict(counts)


def confusion_of(model: ModelResult) -> Confusion | None:
    """What the model takes for what; None where the exercise of no sample was judged."""
    labels = {row.id: row.label for row in model.rows}
    judged = [(labels[entry.id], entry) for entry in model.evaluation.rows if score_of(entry, EXERCISE) is not None]
    spelling = _spelling(label for label, _ in judged)
    pairs: Counter[tuple[str, str | None]] = Counter()
    for label, entry in judged:
        if label is None:
            continue
        wanted = spelling[normalize_name(label)]
        named = entry.identified
        if score_of(entry, EXERCISE) == 1.0:
            named = wanted
        elif named is not None:
            named = spelling.get(normalize_name(named), named)
        pairs[wanted, named] += 1
    return Confusion(sorted({wanted for wanted, _ in pairs}), pairs) if pairs else None
