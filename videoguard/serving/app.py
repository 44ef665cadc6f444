"""The application: endpoints, the page, and the form of what goes wrong."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from videoguard.serving import chatting, guarding, overseeing, predicting, reporting, showing, timelines
from videoguard.serving.problems import PROBLEM_TYPE, ProblemError, internal
from videoguard.serving.schemas import Problem
from videoguard.serving.service import Service, life_of

ROUTERS: Sequence[APIRouter] = (
    predicting.router,
    guarding.router,
    chatting.router,
    timelines.router,
    reporting.router,
    overseeing.router,
    showing.router,
)
_STATUSES = {
    400: "the request cannot be read",
    401: "no API key, or one that is not known",
    403: "not allowed",
    404: "there is no such thing",
    405: "not with this method",
    408: "the request was not sent in time",
    413: "larger than the service takes",
    415: "of a type that is not read",
    422: "read, and refused: by a field, the video or the model",
    429: "as many requests under way as there may be",
    431: "headers that are too long",
    500: "a fault of the program",
    503: "the model was replaced just now",
    504: "no answer in time",
    507: "no room on the disk",
}
_log = logging.getLogger(__name__)


def make_app(service: Service) -> FastAPI:
    """The endpoints on a service."""
    app = FastAPI(
        title="Video-Guard",
        version=version("video-guard"),
        description="Ask video-language models about videos. Errors are problems in the form of RFC 9457.",
        # The pages that FastAPI has for its document load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.service = service
    problems: dict[int | str, dict[str, Any]] = {
        status: {"description": told, "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status, told in _STATUSES.items()
    }
    for router in ROUTERS:
        app.include_router(router, responses=problems)
    app.add_exception_handler(ProblemError, _tell_problem)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(Exception, _tell_fault)
    _describe(app)
    # Not at `/`: there it would take requests with the wrong method from the endpoints.
    app.mount("/page", showing.PageFiles(), name="page")
    return app


def _describe(app: FastAPI) -> None:
    """Add the form of problems, and how keys are given, to the document."""
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = made()
            parts = told.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            told["security"] = [{"key": []}, {}]
            for schema in parts["schemas"].values():
                properties = schema.get("properties", {})
                for name, described in properties.items():
                    if any("contentMediaType" in each for each in described.get("anyOf", ())):
                        # What clients and tools know as a file.
                        told_of = {key: value for key, value in described.items() if key != "anyOf"}
                        properties[name] = {"type": "string", "format": "binary", **told_of}
            # FastAPI describes its own form of a validation error, which is not sent here.
            for name in ("HTTPValidationError", "ValidationError"):
                parts["schemas"].pop(name, None)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _respond(request: Request, problem: ProblemError) -> JSONResponse:
    content = problem.content(life_of(request).request_id)
    return JSONResponse(content, problem.status, dict(problem.headers), media_type=PROBLEM_TYPE)


async def _tell_problem(request: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, ProblemError)
    return _respond(request, problem)


async def _tell_invalid(request: Request, invalid: Exception) -> JSONResponse:
    """Every field that is wrong, at once."""
    assert isinstance(invalid, RequestValidationError)
    found = []
    for error in invalid.errors():
        thing = ".".join(str(part) for part in error["loc"] if part != "body") or "the request"
        value = None if error["type"] == "missing" else error.get("input")
        found.append(ProblemError(422, thing, value, str(error["msg"]), "see /openapi.json"))
    first, *others = found
    first.others = tuple(others)
    return _respond(request, first)


async def _tell_http(request: Request, fault: Exception) -> JSONResponse:
    assert isinstance(fault, HTTPException)
    # FastAPI wraps what goes wrong while a body is read.
    if isinstance(fault.__cause__, ProblemError):
        return _respond(request, fault.__cause__)
    path = f"{request.method} {request.url.path}"
    problem = ProblemError(fault.status_code, path, HTTPStatus(fault.status_code).phrase.lower(), str(fault.detail),
                           "see /openapi.json", dict(fault.headers or {}))  # fmt: skip
    return _respond(request, problem)


async def _tell_fault(request: Request, fault: Exception) -> JSONResponse:
    # Its traceback goes to the log by the server, which gets the exception too.
    return _respond(request, internal())
