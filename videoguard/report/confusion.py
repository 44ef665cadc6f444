"""Which classes are taken for which, cut down to what a page can show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from videoguard.evaluation.scores import UNLISTED, UNNAMED, ClassFigures, Classification, ConfusionCell

OTHERS = "other classes"


@dataclass(frozen=True, slots=True)
class Matrix:
    """The part of a confusion matrix that is shown: a line a wanted class, a column an answered one."""

    lines: list[ClassFigures]
    columns: list[str]
    """The same classes, then what answers name beside them, as far as one does."""
    counts: dict[tuple[str, str], int]
    """Samples by wanted class and column; a pair that never came is absent."""


def shown_matrix(found: Classification, most: int) -> Matrix:
    """The classes with a part in the most mistakes, at most so many, by name; what is beyond them is one column."""
    parts = Counter({figures.label: 0 for figures in found.classes})
    for cell in mistakes_of(found):
        parts.update({cell.wanted: cell.count})
        if cell.answered in parts:
            parts.update({cell.answered: cell.count})
    chosen = sorted(sorted(parts, key=lambda label: (-parts[label], label))[:most])
    beside = {UNLISTED, UNNAMED}
    counts: Counter[tuple[str, str]] = Counter()
    for cell in found.confusion:
        if cell.wanted in chosen:
            column = cell.answered if cell.answered in chosen or cell.answered in beside else OTHERS
            counts[cell.wanted, column] += cell.count
    answered = {column for _, column in counts}
    extra = [column for column in (OTHERS, UNLISTED, UNNAMED) if column in answered and column not in chosen]
    figures = {each.label: each for each in found.classes}
    return Matrix([figures[label] for label in chosen], [*chosen, *extra], dict(counts))


def mistakes_of(found: Classification) -> Sequence[ConfusionCell]:
    """What was taken for what, the most frequent first."""
    wrong = [cell for cell in found.confusion if cell.wanted != cell.answered]
    return sorted(wrong, key=lambda cell: (-cell.count, cell.wanted, cell.answered))
