"""What tells of the service itself: health, readiness, models and metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from videoguard.serving.catalogue import ServedModel
from videoguard.serving.schemas import Health, ModelCard, Models
from videoguard.serving.service import service_of

router = APIRouter(tags=["service"])


@router.get("/health", summary="Whether the process answers")
async def health() -> Health:
    """Always `ok`."""
    return Health(status="ok")


@router.get("/ready", summary="Whether every model can be asked", responses={503: {"model": Health}})
async def ready(request: Request, response: Response) -> Health:
    """`ready`, or status 503 where a model can no longer be asked."""
    if service_of(request).catalogue.works:
        return Health(status="ready")
    response.status_code = 503
    return Health(status="not ready")


@router.get("/v1/models", summary="The models that can be asked")
async def models(request: Request) -> Models:
    """In the form of OpenAI's list, with what a client must know to ask. Behind each adapter stands its base (`…#base`)."""
    catalogue = service_of(request).catalogue
    checked = catalogue.checked_at
    return Models(
        data=[_card(model) for model in catalogue.all()],
        labels=[] if catalogue.labels is None else list(catalogue.labels.labels),
        aliases_checked=None if checked is None else checked.isoformat(timespec="seconds"),
    )


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, answers, tokens, times and batches, as text."""
    return Response(service_of(request).counters.exposition(), media_type=CONTENT_TYPE_LATEST)


def _card(model: ServedModel) -> ModelCard:
    asked = model.asked
    record = asked.record
    return ModelCard(
        id=model.name,
        created=int(model.loaded_at.timestamp()),
        version=model.version,
        base=record.base,
        family=record.family,
        is_adapter=asked.adapter is not None,
        reads="text" if record.text_only else "video",
        frames=None if record.text_only else record.frames,
        frames_are_free=asked.adapter is None and not record.text_only,
        question=record.question,
        can_guard=asked.base.family.streams,
        problem=model.problem,
    )
