"""From what was wanted and what was named to accuracy, F1 and confusion."""

from collections import Counter
from collections.abc import Iterable, Sequence

from videoguard.evaluation.metrics.row_metric import Named
from videoguard.evaluation.scores import UNLISTED, UNNAMED, ClassFigures, Classification, ConfusionCell
from videoguard.manifests.labels import normalize_name


def classify(rows: Sequence[Sequence[Named]], unscored: int) -> Classification:
    """Figures over the classes that were wanted, names compared without case, hyphens and white space.

    Args:
        rows: of each scored row the classes that were wanted and named: one a row, or one an entry of a timeline.
        unscored: rows that were not scored.
    """
    pairs = [pair for row in rows for pair in row]
    if not pairs:
        return Classification(n=0, unscored=unscored)
    spelling = _spellings(wanted for wanted, _ in pairs)
    counts = Counter((spelling[normalize_name(wanted)], _column(named, spelling)) for wanted, named in pairs)
    wanted_counts, named_counts = _sums(counts)
    order = sorted(wanted_counts, key=lambda label: (-wanted_counts[label], label))
    classes = [_figures(label, wanted_counts[label], named_counts[label], counts[label, label]) for label in order]
    columns = {label: place for place, label in enumerate([*order, UNLISTED, UNNAMED])}
    cells = sorted(counts, key=lambda cell: (columns[cell[0]], columns[cell[1]]))
    return Classification(
        n=len(pairs),
        unscored=unscored,
        accuracy=sum(figures.right for figures in classes) / len(pairs),
        macro_f1=sum(figures.f1 for figures in classes) / len(classes),
        classes=classes,
        confusion=[
            ConfusionCell(wanted=wanted, answered=answered, count=counts[wanted, answered]) for wanted, answered in cells
        ],
    )


def _spellings(labels: Iterable[str]) -> dict[str, str]:
    """The most frequent spelling of each class, the first of those that are equally frequent."""
    spellings: dict[str, Counter[str]] = {}
    for label in labels:
        spellings.setdefault(normalize_name(label), Counter())[label] += 1
    return {name: counted.most_common(1)[0][0] for name, counted in spellings.items()}


def _column(named: str | None, spelling: dict[str, str]) -> str:
    if named is None:
        return UNNAMED
    return spelling.get(normalize_name(named), UNLISTED)


def _sums(counts: Counter[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    wanted: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for (row, column), count in counts.items():
        wanted[row] += count
        named[column] += count
    return wanted, named


def _figures(label: str, wanted: int, named: int, right: int) -> ClassFigures:
    return ClassFigures(
        label=label,
        wanted=wanted,
        named=named,
        right=right,
        accuracy=right / wanted,
        precision=right / named if named else None,
        f1=2 * right / (wanted + named),
    )
