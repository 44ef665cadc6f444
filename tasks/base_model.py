"""Step base model: the one that the recipe names, or a tiny one that is built and pre-trained here."""

from pathlib import Path

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.step import HOUR, OPTIONS, ByProvenance, make, on_event, store_in
from videoguard.artifacts import Draft, Provenance, digest_source
from videoguard.config import ModelSection, TinyModel
from videoguard.manifests.listing import stamp_files
from videoguard.subprocesses import call

_TINY_NAME = "tiny-internvl"
_TINY_SOURCE = ["models/tiny", "models/preprocessing.py", "models/loading.py", "dataset/messages.py", "exercises"]


class BaseReference(BaseModel):
    """A base model that is on disk or on the hub."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """What reports call it."""
    location: str
    """Folder or hub name."""
    revision: str | None
    digest: str


def _provenance(model: ModelSection, seed: int, state: Path) -> Provenance:
    named = Path(model.base or "")
    return Provenance(
        step="base-model",
        code=digest_source(_TINY_SOURCE if model.tiny else ["models/base.py"]),
        settings={**model.model_dump(mode="json", exclude={"dtype"}), "seed": seed if model.tiny else 0},
        inputs={"files": stamp_files(sorted(named.iterdir()))} if model.base and named.is_dir() else {},
    )


@task(name="base model", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def find_base_model(model: ModelSection, seed: int, state: Path) -> BaseReference:
    """Find the base model, or build and pre-train the tiny one."""

    def fill(draft: Draft) -> None:
        from videoguard.models.base import find_base

        if model.tiny is not None:
            _pretrain(model.tiny, seed, draft)
            draft.facts["digest"] = find_base(str(draft.folder / "model")).digest
        elif model.base is not None:
            draft.facts["digest"] = find_base(model.base, model.revision).digest

    artifact = make(state, _provenance(model, seed, state), fill)
    return BaseReference(
        name=model.base or _TINY_NAME,
        location=model.base or str(store_in(state).path(artifact) / "model"),
        revision=model.revision,
        digest=str(artifact.facts["digest"]),
    )


def _pretrain(size: TinyModel, seed: int, draft: Draft) -> None:
    from videoguard.models.tiny.request import PretrainingReply, PretrainingRequest

    request = PretrainingRequest(size=size, seed=seed, workers=2, output=draft.folder)
    reply = call(
        "videoguard.models.tiny",
        request,
        PretrainingReply,
        threads=2,
        timeout_s=12 * HOUR,
        on_event=on_event("base model"),
    )
    draft.facts = reply.model_dump(mode="json")
