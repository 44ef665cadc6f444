"""The report as one page that any browser opens: the content of the workbook, sortable, with its frames inside."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from videoguard.report.cells import legal_text
from videoguard.report.content import ReportContent
from videoguard.report.files import replace_file
from videoguard.report.sections import sections_of
from videoguard.report.summary_sheet import what_was_run

_HERE = Path(__file__).parent
TEMPLATE, SCRIPT = "page.html.jinja", "page.js"
"""Files that belong to the source of the report."""


def write_page(content: ReportContent, path: Path, opened_from: Path | None = None) -> None:
    """Write the page to `path`, replacing what is there in one step; it refers to no other file but the videos.

    Args:
        content: All that the report says.
        path: Where it goes; missing folders are made.
        opened_from: Folder in which the page will be opened; links to videos are told from it. None: that of `path`.

    Raises:
        UserError: `path` cannot be written.
    """
    script = (_HERE / SCRIPT).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_legal, trim_blocks=True)
    environment.filters["base64"] = lambda picture: base64.b64encode(picture).decode("ascii")
    sections = list(sections_of(content, opened_from or path.parent))
    text = environment.from_string((_HERE / TEMPLATE).read_text(encoding="utf-8")).render(
        content=content,
        subtitle=what_was_run(content),
        contents=[(section.name, section.title) for section in sections],
        sections=sections,
        script=Markup(script),  # noqa: S704  our own file
        # The page runs this script and no other, whatever stands in a text.
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
    )
    replace_file(path, text.encode("utf-8"))


def _legal(value: object) -> object:
    """Text without control characters and halves of surrogate pairs, which a page cannot carry."""
    return legal_text(value)[0] if type(value) is str else value
