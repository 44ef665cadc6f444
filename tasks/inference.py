"""Step inference: the answers of one model on the test split."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import task
from prefect.futures import PrefectFutureList
from pydantic import BaseModel, ConfigDict

from tasks.base_model import HOW_LOADED, BaseReference
from tasks.cluster import for_workers, submit_each
from tasks.dataset import schema_content
from tasks.frames import StoredFrames, frame_artifacts, frame_folders, frames_digest
from tasks.step import HOUR, OPTIONS, ByProvenance, Workplace, on_event
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.digests import digest_json, digest_source
from videoguard.inference.fingerprint import INFERENCE_SOURCE
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.inference.row_store import ROW_STORE
from videoguard.subprocesses import call, keeping_process

ROWS = "rows.jsonl"


class Answers(BaseModel):
    """One model's answers, in the shards that they were made in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shards: tuple[Artifact, ...]

    @property
    def digest(self) -> str:
        """Digest of all rows."""
        return digest_json([shard.digest for shard in self.shards])

    @property
    def failed(self) -> int:
        """Rows without an answer."""
        return sum(int(str(shard.facts["failed"])) for shard in self.shards)

    def files(self, place: Workplace) -> list[Path]:
        """`rows.jsonl` of every shard."""
        return [place.path(shard) / ROWS for shard in self.shards]


@contextmanager
def one_process(config: RunConfig, *, ahead: bool = False) -> Iterator[None]:
    """Let the models that are asked within the block be asked and scored by one process, one after the other.

    It imports its libraries and loads the weights of a base model once, for the base and all adapters on it. Each has a
    process of its own where a judge loads weights beside them, or where vLLM generates, which keeps its memory; a metric of
    the user's own, which may change whatever it likes, is never computed in the process that answers.

    Args:
        config: of the run.
        ahead: whether the process starts at once, and imports its libraries beside the steps before.
    """
    evaluation = config.evaluation
    judges_here = evaluation.judge is not None and evaluation.judge.url is None
    if judges_here or config.inference.engine == "vllm":
        yield
        return
    modules = ["videoguard.inference", *([] if evaluation.custom else ["videoguard.evaluation"])]
    with keeping_process(*modules, ahead=config.inference.threads if ahead else None):
        yield


def _provenance(
    place: Workplace,
    config: RunConfig,
    base: BaseReference,
    adapter: Artifact | None,
    dataset: Artifact,
    frames: StoredFrames | None,
    shard: int,
) -> Provenance:
    return Provenance(
        step="inference",
        code=digest_source(INFERENCE_SOURCE),
        settings={
            **_how_answered(config),
            "model": config.model.model_dump(include=HOW_LOADED),
            "shard": f"{shard} of {config.inference.shards}",
        },
        inputs={
            "base": base.digest,
            "adapter": adapter.digest if adapter else "none",
            "dataset": dataset.digest,
            "frames": frames_digest(frames),
        },
        parents=(base.artifact, dataset, *frame_artifacts(frames), *([adapter] if adapter else [])),
    )


def _how_answered(config: RunConfig) -> dict[str, object]:
    """The settings that decide an answer."""
    inference, schema = config.inference, schema_content(config.dataset.answer)
    how: dict[str, object] = {"max_new_tokens": inference.max_new_tokens}
    if schema is not None:
        how["answer"] = {"schema": schema, **inference.model_dump(include={"constrained", "repair"})}
    if inference.engine != "transformers":
        how["engine"] = inference.engine
    if inference.label_scores:
        how["label_scores"] = True
    return how


def answer_all(
    place: Workplace,
    config: RunConfig,
    base: BaseReference,
    adapter: Artifact | None,
    dataset: Artifact,
    frames: StoredFrames | None,
) -> PrefectFutureList[Artifact]:
    """The answers of every shard of the test split, which are being made."""
    given = {
        "place": place,
        "config": config,
        "base": base.for_others(place),
        "adapter": adapter,
        "dataset": dataset,
        "frames": frames,
    }
    shards = [{**given, "shard": shard} for shard in range(config.inference.shards)]
    return submit_each(answer_shard, shards, reads=lambda call: _base_files(call["base"]))


def _base_files(base: BaseReference) -> list[Path]:
    """What stands for a base that each machine reads by its path."""
    named = Path(base.location)
    return [named / "config.json"] if base.stored is None and named.is_dir() else []


@task(name="inference", timeout_seconds=48 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
@for_workers
def answer_shard(
    place: Workplace,
    config: RunConfig,
    base: BaseReference,
    adapter: Artifact | None,
    dataset: Artifact,
    frames: StoredFrames | None,
    shard: int,
) -> Artifact:
    """Answers of the base model, or of an adapter on it, for the test samples of one shard."""

    def fill(draft: Draft) -> None:
        request = InferenceRequest(
            base=base.find(place),
            base_name=base.name,
            revision=base.revision,
            dtype=config.model.dtype,
            quantization=config.model.quantization,
            attention=config.model.attention,
            adapter=place.path(adapter) / "adapter" if adapter else None,
            dataset=place.path(dataset),
            **frame_folders(place, frames),
            frames=config.frames,
            system_prompt=config.dataset.system_prompt,
            question=config.dataset.question,
            inference=config.inference,
            answer_schema=schema_content(config.dataset.answer),
            row_store=place.state / ROW_STORE,
            since=place.started if "inference" in place.refresh else None,
            shard=shard,
            shards=config.inference.shards,
            output=draft.folder,
        )
        reply = call(
            "videoguard.inference",
            request,
            InferenceReply,
            threads=config.inference.threads,
            timeout_s=48 * HOUR,
            on_event=on_event("answers of the adapter" if adapter else "answers of the base", part=str(shard)),
        )
        draft.facts = reply.model_dump(mode="json")

    return place.make(_provenance(place, config, base, adapter, dataset, frames, shard), fill)
