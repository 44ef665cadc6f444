"""What the page is made of: sections of plain tables, cards and diagrams."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from videoguard.config import SheetName
from videoguard.report.confidence_sheet import Reliability
from videoguard.report.thumbnails import Strip
from videoguard.report.wording import finite


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what it shows, and what it is sorted by where that is not its text."""

    text: str
    number: float | None = None
    look: str = ""
    """`green`, `yellow`, `red`, `right`, `wrong`, `code`, or nothing."""
    link: str | None = None
    strength: float | None = None
    """Of the colour, from 0 to 1."""
    bar: tuple[float, float, float] | None = None
    """A mean with its interval, all from 0 to 1, drawn in place of the text."""


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows; `rows` may be read once."""

    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    title: str = ""
    note: str = ""
    is_long: bool = False
    """Whether a reader wants to filter it."""


@dataclass(frozen=True, slots=True)
class Card:
    """A sample with its frames."""

    sample: Cell
    strip: Strip | None
    texts: Sequence[tuple[str, str]]
    scores: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Diagram:
    """Lines of points whose both values go from 0 to 1, with the diagonal."""

    title: str
    across: str
    up: str
    diagonal: str
    """What the diagonal means."""
    lines: Sequence[Reliability]


@dataclass(frozen=True, slots=True)
class Section:
    """What is a sheet in the workbook."""

    name: SheetName
    title: str
    notes: Sequence[str] = ()
    tables: Sequence[Table] = ()
    cards: Sequence[tuple[str, Sequence[Card]]] = field(default=())
    diagram: Diagram | None = None
    """Shown below the first table."""


def text_cell(text: str | None) -> Cell:
    """A text; a dash where there is none."""
    return Cell("–" if text is None else text)


def count_cell(count: int) -> Cell:
    """A whole number."""
    return Cell(f"{count:,}", count)


def decimal_cell(value: float | None) -> Cell:
    """A number with three decimals; a dash where there is none."""
    return Cell("–" if value is None else f"{value:.3f}", value)


def share_cell(value: float | None) -> Cell:
    """A percentage; a dash where there is none."""
    return Cell("–" if value is None else f"{value:.1%}", value)


def p_value_cell(value: float | None) -> Cell:
    """A p-value; a dash where nothing was tested."""
    known = finite(value)
    return Cell("–" if known is None else "< 0.0001" if known < 1e-4 else f"{known:.4f}", known)
