"""`GET /v1/reports`: the workbooks and pages that runs have left, to list and to download."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from videoguard.serving.problems import ProblemError
from videoguard.serving.schemas import Told
from videoguard.serving.service import service_of

router = APIRouter(tags=["reports"])
_NAME = re.compile(r"(?P<recipe>.+)-(?P<time>\d{8}-\d{6})")
_KINDS: dict[str, str] = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".html": "text/html; charset=utf-8",
}
# A report shows what models wrote: nothing in it may act for the one who looks at it.
_CONFINED = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
}


class ReportFile(Told):
    """A file of a report."""

    name: str
    kind: Literal["xlsx", "html"]
    bytes: int
    url: str
    """Where it is, relative to the service."""


class Report(Told):
    """What a run has left."""

    name: str
    recipe: str
    created: str
    """ISO 8601."""
    files: list[ReportFile]


class Reports(Told):
    """All reports, the newest first."""

    reports: list[Report]


@router.get("/v1/reports", summary="Past runs with their workbooks")
async def reports(request: Request) -> Reports:
    """What lies in the folder of reports, the newest first."""
    found: dict[str, list[Path]] = {}
    for file in _files(service_of(request).settings.reports):
        found.setdefault(file.stem, []).append(file)
    told = [_report(name, files) for name, files in found.items()]
    return Reports(reports=sorted(told, key=lambda report: (report.created, report.name), reverse=True))


@router.get("/v1/reports/{name}", summary="A workbook or its page", response_class=FileResponse)
async def report(
    request: Request,
    name: str,
    download: Annotated[bool, Query(description="As a file to save, also where it is a page.")] = False,
) -> FileResponse:
    """The file itself."""
    # Only what is listed is given, so that no name can lead out of the folder.
    file = next((file for file in _files(service_of(request).settings.reports) if file.name == name), None)
    if file is None:
        raise ProblemError(404, "report", name, "there is no such report", "`GET /v1/reports` lists them")
    attached = download or file.suffix == ".xlsx"
    return FileResponse(
        file, media_type=_KINDS[file.suffix], filename=file.name, headers=_CONFINED,
        content_disposition_type="attachment" if attached else "inline",
    )  # fmt: skip


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix in _KINDS and file.is_file() and not file.is_symlink())


def _report(name: str, files: list[Path]) -> Report:
    parts = _NAME.fullmatch(name)
    created = min(datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files)
    return Report(
        name=name,
        recipe=parts["recipe"] if parts is not None else name,
        created=created.isoformat(timespec="seconds"),
        files=[
            ReportFile(
                name=file.name, kind="xlsx" if file.suffix == ".xlsx" else "html", bytes=file.stat().st_size,
                url=f"/v1/reports/{file.name}",
            )
            for file in files
        ],
    )  # fmt: skip
