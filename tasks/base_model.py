"""Step base model: the one that the recipe names, or a tiny one that is built and pre-trained here."""

from pathlib import Path

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace, on_event
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import ModelSection, TinyModel
from videoguard.digests import digest_source
from videoguard.manifests.listing import stamp_files
from videoguard.models.families import family_of
from videoguard.subprocesses import call

HOW_LOADED = {"dtype", "quantization", "attention"}
"""Fields of the model's section that decide how its weights are loaded, and not which."""
_TINY_SOURCE = [
    "models/tiny",
    "models/preprocessing.py",
    "models/chat.py",
    "models/media.py",
    "models/batching.py",
    "models/families.py",
    "models/loading.py",
    "models/parts.py",
    "models/checkpoints.py",
    "dataset/messages.py",
    "dataset/guard_texts.py",
    "manifests/formats/guard_categories.py",
    "exercises",
]


class BaseReference(BaseModel):
    """A base model that is on disk or on the hub."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """What reports call it."""
    location: str
    """Folder or hub name."""
    stored: str | None = None
    """`step/key/folder` where the location is a folder of an artifact, which other machines fetch."""
    revision: str | None
    digest: str
    artifact: Artifact
    """What is stored of it: the tiny model, or no more than the digest."""

    def find(self, place: Workplace) -> str:
        """Folder or hub name on this machine."""
        if self.stored is None:
            return self.location
        step, key, *folder = self.stored.split("/")
        return str(place.store.folder(step, key).joinpath(*folder))

    def for_others(self, place: Workplace) -> "BaseReference":
        """The same for another machine: what is stored by its name, another folder by its whole path."""
        folder, artifacts = Path(self.location).absolute(), place.store.root.absolute()
        if not folder.is_dir():
            return self
        if folder.is_relative_to(artifacts):
            return self.model_copy(update={"stored": folder.relative_to(artifacts).as_posix()})
        return self.model_copy(update={"location": str(folder)})


def learns_from_dataset(model: ModelSection) -> bool:
    """Whether the base is a tiny one that reads text alone, which is pre-trained on the questions of the training split."""
    return model.tiny is not None and family_of(model.tiny.family).media == "text"


def _provenance(place: Workplace, model: ModelSection, seed: int, dataset: Artifact | None = None) -> Provenance:
    named = Path(model.base or "")
    corpus = {} if dataset is None else {"dataset": dataset.digest}
    return Provenance(
        step="base-model",
        code=digest_source(_TINY_SOURCE if model.tiny else ["models/base.py", "models/hub.py"]),
        settings={**model.model_dump(mode="json", exclude=HOW_LOADED), "seed": seed if model.tiny else 0},
        inputs={"files": stamp_files(sorted(named.iterdir()))} if model.base and named.is_dir() else corpus,
        parents=() if dataset is None else (dataset,),
    )


@task(name="base model", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def find_base_model(place: Workplace, model: ModelSection, seed: int, dataset: Artifact | None = None) -> BaseReference:
    """Find the base model, or build and pre-train the tiny one: on a dataset where it `learns_from_dataset`."""

    def fill(draft: Draft) -> None:
        from videoguard.models.base import find_base

        if model.tiny is not None:
            _pretrain(model.tiny, seed, None if dataset is None else place.path(dataset), draft)
            draft.facts["digest"] = find_base(str(draft.folder / "model")).digest
        elif model.base is not None:
            draft.facts["digest"] = find_base(model.base, model.revision).digest

    artifact = place.make(_provenance(place, model, seed, dataset), fill)
    return BaseReference(
        name=f"tiny-{model.tiny.family}" if model.tiny else str(model.base),
        location=model.base or str(place.path(artifact) / "model"),
        revision=model.revision,
        digest=str(artifact.facts["digest"]),
        artifact=artifact,
    )


def _pretrain(size: TinyModel, seed: int, corpus: Path | None, draft: Draft) -> None:
    from videoguard.models.tiny.request import PretrainingReply, PretrainingRequest

    request = PretrainingRequest(size=size, seed=seed, corpus=corpus, workers=2, output=draft.folder, checkpoints=draft.work)
    reply = call(
        "videoguard.models.tiny",
        request,
        PretrainingReply,
        threads=2,
        timeout_s=12 * HOUR,
        on_event=on_event("base model"),
    )
    draft.facts = reply.model_dump(mode="json")
