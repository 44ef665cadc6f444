"""The looks of the workbook: named styles, shared by all cells, and the colours of bands and models."""

from enum import StrEnum

from openpyxl.styles import Alignment, Border, Font, NamedStyle, PatternFill, Side
from openpyxl.workbook import Workbook

from videoguard.evaluation.scores import MetricFacts, Scale


class Style(StrEnum):
    """A named style; its value is the name that Excel shows under cell styles."""

    TITLE = "VG title"
    SUBTITLE = "VG subtitle"
    NOTICE = "VG notice"
    HEADING = "VG heading"
    HEADER = "VG header"
    GROUP = "VG header group"
    TEXT = "VG text"
    CENTRED = "VG centred text"
    CODE = "VG code name"
    NOTE = "VG note"
    LINK = "VG link"
    NOTHING = "VG nothing"
    COUNT = "VG count"
    SCORE = "VG score"
    SHARE = "VG share"
    SCORE_DIFFERENCE = "VG score difference"
    SHARE_DIFFERENCE = "VG share difference"
    RATING = "VG rating"
    RATING_DIFFERENCE = "VG rating difference"
    AMOUNT = "VG amount"
    AMOUNT_DIFFERENCE = "VG amount difference"
    P_VALUE = "VG p-value"
    GREEN = "VG green"
    YELLOW = "VG yellow"
    RED = "VG red"
    TURNED = "VG turned header"
    UNSEEN = "VG unseen"
    RIGHT_0 = "VG right 0"
    RIGHT_1 = "VG right 1"
    RIGHT_2 = "VG right 2"
    RIGHT_3 = "VG right 3"
    WRONG_0 = "VG wrong 0"
    WRONG_1 = "VG wrong 1"
    WRONG_2 = "VG wrong 2"
    WRONG_3 = "VG wrong 3"


WRAPPED = frozenset({Style.TEXT, Style.CENTRED, Style.CODE, Style.LINK})
"""Styles whose text goes on in a new line where the column ends."""
BAND_COLOURS = {"green": ("DDF3E1", "1B5E20"), "yellow": ("FFF2C2", "7F5200"), "red": ("FBD5D5", "9C0006")}
"""Fill and text colour of each band, as RGB."""
BAND_STYLES = {"green": Style.GREEN, "yellow": Style.YELLOW, "red": Style.RED}
CHART_BAND_COLOURS = {"green": "63A375", "yellow": "F2C14E", "red": "D1605E"}

_INK = "1F2933"
_MUTED = "7B8794"
_DEEP = "243B53"
ACCENT = "2B6CB0"
"""The one strong colour: charts of the model that the workbook is about, and what is right in a heat map."""

_MODEL_COLOURS = ("9FB3C8", "2B6CB0", "38A169", "B7791F", "805AD5", "C05621")

_SCORES: dict[Scale, Style] = {
    "yes_no": Style.SHARE,
    "share": Style.SCORE,
    "rating": Style.RATING,
    "count": Style.AMOUNT,
}
_DIFFERENCES: dict[Scale, Style] = {
    "yes_no": Style.SHARE_DIFFERENCE,
    "share": Style.SCORE_DIFFERENCE,
    "rating": Style.RATING_DIFFERENCE,
    "count": Style.AMOUNT_DIFFERENCE,
}
_HEAT_STEPS = (0.1, 0.5, 1.0)
_RIGHT = (Style.RIGHT_0, Style.RIGHT_1, Style.RIGHT_2, Style.RIGHT_3)
_WRONG = (Style.WRONG_0, Style.WRONG_1, Style.WRONG_2, Style.WRONG_3)
_HEAT = {
    **dict(zip(_RIGHT, (None, "DCE9F7", "9DC3E8", "4A86C5"), strict=True)),
    **dict(zip(_WRONG, (None, "FDF0D5", "F9D48E", "EFA94A"), strict=True)),
}
_HAIR = Side(style="thin", color="D9E2EC")
_LINE = Border(left=_HAIR, right=_HAIR, bottom=_HAIR)
_NUMBER = Alignment(horizontal="center", vertical="top")


def score_style(metric: MetricFacts) -> Style:
    """How a score is written: a share of right answers as a percentage."""
    return _SCORES[metric.scale]


def difference_style(metric: MetricFacts) -> Style:
    """How a difference of two scores is written: with its sign, of right answers in percentage points."""
    return _DIFFERENCES[metric.scale]


def heat_style(share: float, *, right: bool) -> Style:
    """How a count of a heat map is written, by its share of the samples where the class was wanted; zero is left blank."""
    step = 0 if share == 0 else next(step for step, most in enumerate(_HEAT_STEPS, start=1) if share <= most)
    return (_RIGHT if right else _WRONG)[step]


def model_colour(position: int, models: int) -> str:
    """Colour of a model in the charts, as RGB: the base pale, the others strong."""
    if models == 1:
        return _MODEL_COLOURS[1]
    return _MODEL_COLOURS[0] if position == 0 else _MODEL_COLOURS[1 + (position - 1) % (len(_MODEL_COLOURS) - 1)]


def add_styles(book: Workbook) -> None:
    """Register every style with the workbook, in a fixed order."""
    for style in _styles():
        book.add_named_style(style)


def _styles() -> list[NamedStyle]:
    wrapped = Alignment(vertical="top", wrap_text=True)
    middle = Alignment(vertical="center")
    boxed = Alignment(horizontal="center", vertical="center", wrap_text=True)
    turned = Alignment(horizontal="center", vertical="bottom", text_rotation=90, wrap_text=True)
    plain = Font(name="Calibri", size=10, color=_INK)
    header = Font(name="Calibri", size=10, bold=True, color="FFFFFF")
    return [
        _style(Style.TITLE, Font(name="Calibri", size=18, bold=True, color=_DEEP), middle),
        _style(Style.SUBTITLE, Font(name="Calibri", size=11, color=_INK), middle),
        _style(Style.NOTICE, Font(name="Calibri", size=11, bold=True, color="7F2700"), middle, "FFD9B3"),
        _style(Style.HEADING, Font(name="Calibri", size=13, bold=True, color=_DEEP), middle),
        _style(Style.HEADER, header, boxed, _DEEP),
        _style(Style.GROUP, header, boxed, "486581"),
        _style(Style.TEXT, plain, wrapped, border=_LINE),
        _style(Style.CENTRED, plain, Alignment(horizontal="center", vertical="top", wrap_text=True), border=_LINE),
        _style(Style.CODE, Font(name="Consolas", size=9, color=_MUTED), wrapped, border=_LINE),
        _style(Style.NOTE, Font(name="Calibri", size=9, italic=True, color=_MUTED), Alignment(vertical="top")),
        _style(Style.LINK, Font(name="Calibri", size=10, underline="single", color="1D4E89"), wrapped, border=_LINE),
        _style(
            Style.NOTHING,
            Font(name="Calibri", size=10, color=_MUTED),
            Alignment(horizontal="center", vertical="top"),
            border=_LINE,
        ),
        _style(Style.COUNT, plain, _NUMBER, border=_LINE, number_format="#,##0"),
        _style(Style.SCORE, plain, _NUMBER, border=_LINE, number_format="0.000"),
        _style(Style.SHARE, plain, _NUMBER, border=_LINE, number_format="0.0%"),
        _style(Style.SCORE_DIFFERENCE, plain, _NUMBER, border=_LINE, number_format="+0.000;-0.000;0.000"),
        _style(Style.SHARE_DIFFERENCE, plain, _NUMBER, border=_LINE, number_format='+0.0%" pts";-0.0%" pts";0.0%" pts"'),
        _style(Style.RATING, plain, _NUMBER, border=_LINE, number_format="0.00"),
        _style(Style.RATING_DIFFERENCE, plain, _NUMBER, border=_LINE, number_format="+0.00;-0.00;0.00"),
        _style(Style.AMOUNT, plain, _NUMBER, border=_LINE, number_format="#,##0.0"),
        _style(Style.AMOUNT_DIFFERENCE, plain, _NUMBER, border=_LINE, number_format="+#,##0.0;-#,##0.0;0.0"),
        _style(Style.P_VALUE, plain, _NUMBER, border=_LINE, number_format='[<0.0001]"< 0.0001";0.0000'),
        _style(Style.TURNED, header, turned, _DEEP),
        *(_heat(style, fill) for style, fill in _HEAT.items()),
        _style(Style.UNSEEN, plain, middle, number_format=";;;"),
        *(
            _style(
                BAND_STYLES[colour],
                Font(name="Calibri", size=10, bold=True, color=ink),
                Alignment(horizontal="center", vertical="top"),
                fill,
                border=_LINE,
            )
            for colour, (fill, ink) in BAND_COLOURS.items()
        ),
    ]


def _heat(style: Style, fill: str | None) -> NamedStyle:
    font = Font(name="Calibri", size=10, color="FFFFFF" if style == Style.RIGHT_3 else _INK)
    return _style(style, font, _NUMBER, fill, border=_LINE, number_format="#,##0;;")


def _style(
    name: Style,
    font: Font,
    alignment: Alignment,
    fill: str | None = None,
    border: Border | None = None,
    number_format: str = "General",
) -> NamedStyle:
    return NamedStyle(
        name=name.value,
        font=font,
        alignment=alignment,
        fill=PatternFill("solid", start_color=fill, end_color=fill) if fill else PatternFill(),
        border=border or Border(),
        number_format=number_format,
    )
