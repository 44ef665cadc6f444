"""The page: static files of the package, confined to the service that sends them."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PAGE = Path(__file__).with_name("page")
"""Plain HTML, CSS and JavaScript: nothing is built, and nothing comes from elsewhere."""
_HEADERS = {
    # What a model or a file name says can never run: the page puts it in as text, and only its own scripts are allowed.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # A new version of the service shows its own page at once.
    "Cache-Control": "no-cache",
}
router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """The files beside `index.html`, which stand under `/page`."""

    def __init__(self) -> None:
        super().__init__(directory=PAGE)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file with the headers of the page."""
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


@router.get("/", response_class=FileResponse)
async def page() -> FileResponse:
    """The page itself."""
    return FileResponse(PAGE / "index.html", headers=_HEADERS)
