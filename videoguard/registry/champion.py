"""A registered version's adapter, fetched from where MLflow keeps it: a process of its own, which loads model libraries."""

import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

ADAPTER = "adapter"


class FetchRequest(BaseModel):
    """A registered version to fetch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str
    model: str
    version: str
    output: Path
    """Folder that gets `adapter/`."""


class FetchReply(BaseModel):
    """What was fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    version: str
    run_id: str
    """Of the run that trained it; empty where MLflow does not tell."""
    base: str
    """Folder or hub name that the version refers to."""
    base_name: str
    base_digest: str
    loaded: dict[str, str]
    """How its recipe loaded the weights of the base, by the fields of the model's section."""


def fetch(request: FetchRequest) -> FetchReply:
    """Copy a version's adapter into a folder, and tell what it runs on.

    Raises:
        UserError: there is no such version, or it is not one of Video-Guard.
        UnavailableError: MLflow does not answer.
    """
    from videoguard.models.preprocessing import read_record
    from videoguard.registry.references import find_model
    from videoguard.registry.versions import HOW_LOADED

    found = find_model(f"models:/{request.model}/{request.version}", request.tracking_uri)
    assert found.adapter is not None
    shutil.copytree(found.adapter, request.output / ADAPTER)
    record = read_record(found.adapter)
    loaded = {name: found.settings[key] for name in HOW_LOADED if (key := f"model.{name}") in found.settings}
    return FetchReply(
        model=request.model,
        version=request.version,
        run_id=found.run_id,
        base=found.base,
        base_name=record.base,
        base_digest=record.base_digest,
        loaded=loaded,
    )


SERVED = (FetchRequest, lambda request, emit: fetch(request))
