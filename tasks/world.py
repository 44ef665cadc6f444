"""Steps world base and world adapter: what generates, found, built or checked before any weight is loaded."""

from pathlib import Path

from prefect import task
from pydantic import BaseModel, ConfigDict

from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config.world import WorldAdapter, WorldModelSection
from videoguard.digests import digest_file, digest_json, digest_source
from videoguard.manifests.listing import stamp_files
from videoguard.subprocesses import call
from videoguard.world.adapters.request import CheckReply, CheckRequest
from videoguard.world.tiny import BuildReply, BuildRequest

PIPELINE, ADAPTER = "pipeline", "adapter"
_TINY_SOURCE = ["world/tiny.py", "world/architecture.py"]


class WorldBaseReference(BaseModel):
    """A base that is on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    folder: Path
    digest: str
    is_noise: bool
    """Whether it is a tiny pipeline of random weights."""
    artifact: Artifact
    """What is stored of it: the tiny pipeline, or no more than the digest."""


class UsedAdapter(BaseModel):
    """A checked and converted adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    weight: float
    artifact: Artifact

    @property
    def digest(self) -> str:
        """Of its weights and settings."""
        return self.artifact.digest

    def folder(self, place: Workplace) -> Path:
        """The peft folder in diffusers' words."""
        return place.path(self.artifact) / ADAPTER


def _base_provenance(place: Workplace, model: WorldModelSection, seed: int) -> Provenance:
    named = Path(model.base or "")
    is_folder = model.base is not None and named.is_dir()
    files = sorted(path for path in named.rglob("*") if path.is_file()) if is_folder else []
    return Provenance(
        step="world-base",
        code=digest_source(_TINY_SOURCE if model.tiny else ["world/base.py"]),
        settings={**model.model_dump(mode="json", include={"base", "revision", "tiny"}), "seed": seed if model.tiny else 0},
        inputs={"files": stamp_files(files)} if is_folder else {},
    )


@task(name="world base", timeout_seconds=12 * HOUR, cache_policy=ByProvenance(provenance=_base_provenance), **OPTIONS)
def find_world_base_task(place: Workplace, model: WorldModelSection, seed: int) -> WorldBaseReference:
    """Find the base, download it, or build the tiny one."""
    from videoguard.world.base import WorldBase, digest_base, find_world_base

    def fill(draft: Draft) -> None:
        if model.tiny is not None:
            request = BuildRequest(size=model.tiny, seed=seed, output=draft.folder / PIPELINE)
            call("videoguard.world", request, BuildReply, threads=1, timeout_s=HOUR)
            draft.facts["digest"] = digest_base(WorldBase("tiny", draft.folder / PIPELINE))
        elif model.base is not None:
            draft.facts["digest"] = digest_base(find_world_base(model.base, model.revision))

    artifact = place.make(_base_provenance(place, model, seed), fill)
    folder = find_world_base(model.base, model.revision).folder if model.base else place.path(artifact) / PIPELINE
    return WorldBaseReference(
        name=model.base or "tiny pipeline of random weights (noise)",
        folder=folder,
        digest=str(artifact.facts["digest"]),
        is_noise=model.tiny is not None,
        artifact=artifact,
    )


def _adapter_provenance(place: Workplace, adapter: WorldAdapter, base: WorldBaseReference) -> Provenance:
    said = adapter.model_dump(mode="json", include={"rank", "alpha", "targets"})
    return Provenance(
        step="world-adapter",
        code=digest_source(["world/adapters", "world/architecture.py"]),
        settings={**said, "layout": adapter.path.suffix},
        inputs={"adapter": _digest_adapter(adapter.path), "base": base.digest},
        parents=(base.artifact,),
    )


@task(name="world adapter", timeout_seconds=HOUR, cache_policy=ByProvenance(provenance=_adapter_provenance), **OPTIONS)
def check_adapter_task(place: Workplace, adapter: WorldAdapter, base: WorldBaseReference) -> Artifact:
    """Check an adapter against the base and convert it."""

    def fill(draft: Draft) -> None:
        request = CheckRequest(
            adapter=adapter.path,
            base=base.folder,
            rank=adapter.rank,
            alpha=adapter.alpha,
            targets=adapter.targets,
            output=draft.folder / ADAPTER,
        )
        reply = call("videoguard.world.adapters", request, CheckReply, threads=1, timeout_s=HOUR)
        draft.facts = {name: value for name, value in reply.facts.model_dump(mode="json").items() if name != "path"}

    return place.make(_adapter_provenance(place, adapter, base), fill)


def use_adapter(adapter: WorldAdapter, artifact: Artifact) -> UsedAdapter:
    """The checked adapter by the name and weight of the recipe."""
    return UsedAdapter(name=adapter_word(adapter.name or adapter.path.stem), weight=adapter.weight, artifact=artifact)


def adapter_word(name: str) -> str:
    """A name as a module of PyTorch can have it: a word of letters, digits and _."""
    word = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)
    return word if word.isidentifier() else f"adapter_{word}"


def _digest_adapter(path: Path) -> str:
    """Digest of the files of an adapter; that of nothing where there is none, which the check then refuses."""
    if path.is_file():
        return digest_file(path)
    return digest_json({file.name: digest_file(file) for file in sorted(path.glob("*")) if file.is_file()})
