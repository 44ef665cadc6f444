"""Native charts, which follow the cells that they show."""

from textwrap import shorten
from typing import Literal

from openpyxl.chart import BarChart, Reference, ScatterChart, Series
from openpyxl.chart.axis import ChartLines, NumericAxis
from openpyxl.chart.data_source import NumDataSource, NumRef, StrRef
from openpyxl.chart.error_bar import ErrorBars
from openpyxl.chart.legend import Legend
from openpyxl.chart.marker import Marker
from openpyxl.chart.series import SeriesLabel, XYSeries
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties, RegularTextRun
from openpyxl.utils import absolute_coordinate, get_column_letter, quote_sheetname
from openpyxl.worksheet.worksheet import Worksheet

from videoguard.report.cells import clean_text
from videoguard.report.wording import finite

Cells = tuple[int, int, int]
"""A run of cells in one column: column, first row, last row."""
_GUIDE = "7B8794"


def bar_chart(title: str, across: str, up: str, *, lying: bool = False, stacked: bool = False) -> BarChart:
    """An empty bar chart with both axes labelled: `across` names the categories, `up` the values."""
    chart = BarChart()
    chart.type = "bar" if lying else "col"
    chart.grouping = "percentStacked" if stacked else "clustered"
    chart.overlap = 100 if stacked else -5
    chart.gapWidth = 60
    chart.title = _words(title, 12, bold=True)
    _dress(chart, across, up)
    chart.y_axis.number_format = "0%" if stacked else "0.0"
    if lying:
        # The first category on top, and the values nevertheless below.
        chart.x_axis.scaling.orientation = "maxMin"
        chart.y_axis.crosses = "max"
    return chart


def scatter_chart(title: str, across: str, up: str) -> ScatterChart:
    """An empty chart of points whose both values go from 0 to 1, both axes labelled."""
    chart = ScatterChart()
    chart.style = 13
    chart.scatterStyle = "lineMarker"
    chart.title = _words(title, 12, bold=True)
    _dress(chart, across, up)
    for axis in (chart.x_axis, chart.y_axis):
        assert isinstance(axis, NumericAxis)
        axis.number_format = "0.0"
        axis.majorGridlines = _faint_lines()
        axis.scaling.min = 0.0
        axis.scaling.max = 1.0
        axis.majorUnit = 0.2
    return chart


def add_line(chart: ScatterChart, sheet: Worksheet, name: tuple[int, int], across: Cells, up: Cells, colour: str) -> None:
    """Add points joined by a line; the legend shows the text of the cell `name` (row, column), which must not be hidden."""
    series = _line(sheet, across, up, colour, "solid")
    series.tx = _name_in(sheet, name)
    filled = GraphicalProperties(solidFill=colour, ln=LineProperties(solidFill=colour))
    series.marker = Marker(symbol="circle", size=7, spPr=filled)
    chart.series.append(series)


def add_guide(chart: ScatterChart, sheet: Worksheet, name: str, across: Cells, up: Cells) -> None:
    """Add a dashed line that the others are read against."""
    series = _line(sheet, across, up, _GUIDE, "dash")
    series.tx = SeriesLabel(v=name)
    series.marker = Marker(symbol="none")
    chart.series.append(series)
    # The cells stand in hidden columns, which charts leave out unless told otherwise.
    chart.visible_cells_only = False


def add_series(chart: BarChart, sheet: Worksheet, name: tuple[int, int], values: Cells, colour: str) -> None:
    """Add the bars of `values`; the legend shows the text of the cell `name` (row, column)."""
    series = Series(_reference(sheet, values))
    series.tx = _name_in(sheet, name)
    series.graphicalProperties = GraphicalProperties(solidFill=colour)
    series.invertIfNegative = False
    chart.series.append(series)


def set_categories(chart: BarChart, sheet: Worksheet, names: Cells) -> None:
    """Name the bars by the cells."""
    chart.set_categories(_reference(sheet, names))


def add_intervals(chart: BarChart | ScatterChart, sheet: Worksheet, below: Cells, above: Cells) -> None:
    """Draw intervals on the bars of the last series; the cells hold how far they reach below and above the bars' ends."""
    chart.series[-1].errBars = ErrorBars(
        errDir="y",
        errBarType="both",
        errValType="cust",
        minus=NumDataSource(numRef=NumRef(f=str(_reference(sheet, below)))),
        plus=NumDataSource(numRef=NumRef(f=str(_reference(sheet, above)))),
        spPr=GraphicalProperties(ln=LineProperties(solidFill="1F2933", w=9525)),
    )
    # The cells stand in hidden columns, which charts leave out unless told otherwise.
    chart.visible_cells_only = False


def interval_lengths(mean: float | None, low: float | None, high: float | None) -> tuple[float, float]:
    """How far an interval reaches below and above its mean; zero where there is none."""
    middle, bottom, top = finite(mean), finite(low), finite(high)
    if middle is None or bottom is None or top is None:
        return 0.0, 0.0
    # A percentile of the bootstrap may lie beyond the mean of a skewed sample; a length cannot be negative.
    return max(middle - bottom, 0.0), max(top - middle, 0.0)


def labels_below(chart: BarChart) -> None:
    """Keep the categories' names at the foot of the chart, also under bars that go down."""
    chart.x_axis.tickLblPos = "low"


def scale(chart: BarChart, lowest: float, highest: float) -> None:
    """Fix the range of the values."""
    chart.y_axis.scaling.min = lowest
    chart.y_axis.scaling.max = highest
    chart.y_axis.majorUnit = 0.2


def place(
    chart: BarChart | ScatterChart, sheet: Worksheet, top_left: tuple[int, int], bottom_right: tuple[int, int]
) -> None:
    """Lay the chart over whole cells, both corners (row, column) included, so that it covers no others."""
    chart.anchor = TwoCellAnchor(  # type: ignore[assignment]  # the stubs know only the name of a cell
        editAs="oneCell",
        _from=AnchorMarker(row=top_left[0] - 1, col=top_left[1] - 1),
        to=AnchorMarker(row=bottom_right[0], col=bottom_right[1]),
    )
    sheet.add_chart(chart)


def _dress(chart: BarChart | ScatterChart, across: str, up: str) -> None:
    """Legend below, titles of the axes, faint lines behind."""
    chart.legend = Legend()
    chart.legend.position = "b"
    chart.x_axis.title = _words(across, 10, bold=False)
    chart.y_axis.title = _words(up, 10, bold=False)
    # Excel and LibreOffice hide an axis that does not say that it is there.
    chart.x_axis.delete = False
    chart.y_axis.delete = False
    chart.y_axis.majorGridlines = _faint_lines()


def _faint_lines() -> ChartLines:
    return ChartLines(spPr=GraphicalProperties(ln=LineProperties(solidFill="E4E7EB")))


def _line(sheet: Worksheet, across: Cells, up: Cells, colour: str, dash: Literal["solid", "dash"]) -> XYSeries:
    series: XYSeries = Series(_reference(sheet, up), xvalues=_reference(sheet, across))
    series.smooth = False
    series.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=colour, w=15_875, prstDash=dash))
    return series


def _name_in(sheet: Worksheet, cell: tuple[int, int]) -> SeriesLabel:
    place = absolute_coordinate(f"{get_column_letter(cell[1])}{cell[0]}")
    return SeriesLabel(strRef=StrRef(f=f"{quote_sheetname(sheet.title)}!{place}"))


def _reference(sheet: Worksheet, cells: Cells) -> Reference:
    column, first, last = cells
    return Reference(sheet, min_col=column, min_row=first, max_row=last)


def _words(text: str, size: int, *, bold: bool) -> Title:
    """A title in the size of the tables rather than in that of a poster; `size` in points."""
    # A chart's own text is no cell: it has to be cleaned here, and kept to what fits above a chart.
    short = shorten(clean_text(text).text, 90, placeholder=" …")
    looks = CharacterProperties(sz=size * 100, b=bold, solidFill="243B53")
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=looks), r=[RegularTextRun(rPr=looks, t=short)])
    return Title(tx=Text(rich=RichText(p=[paragraph])), overlay=False)
