"""Step inference: the answers of one model on the test split."""

from pathlib import Path

from prefect import task

from tasks.base_model import BaseReference
from tasks.step import HOUR, OPTIONS, ByProvenance, make, on_event, store_in
from videoguard.artifacts import Artifact, Draft, Provenance, digest_source
from videoguard.config import RunConfig
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.subprocesses import call

_SOURCE = ["inference", "models/preprocessing.py", "models/loading.py", "models/families.py", "dataset/messages.py"]


def _provenance(
    config: RunConfig, base: BaseReference, adapter: Artifact | None, dataset: Artifact, frames: Artifact, state: Path
) -> Provenance:
    return Provenance(
        step="inference",
        code=digest_source(_SOURCE),
        settings={"inference": config.inference.model_dump(mode="json"), "dtype": config.model.dtype},
        inputs={
            "base": base.digest,
            "adapter": adapter.digest if adapter else "none",
            "dataset": dataset.digest,
            "frames": frames.digest,
        },
    )


@task(name="inference", timeout_seconds=48 * HOUR, cache_policy=ByProvenance(provenance=_provenance), **OPTIONS)
def answer_test_split(
    config: RunConfig, base: BaseReference, adapter: Artifact | None, dataset: Artifact, frames: Artifact, state: Path
) -> Artifact:
    """Answers of the base model, or of an adapter on it, for every test sample."""

    def fill(draft: Draft) -> None:
        store = store_in(state)
        request = InferenceRequest(
            base=base.location,
            base_name=base.name,
            revision=base.revision,
            dtype=config.model.dtype,
            adapter=store.path(adapter) / "adapter" if adapter else None,
            dataset=store.path(dataset),
            frame_store=store.path(frames),
            frames=config.frames,
            system_prompt=config.dataset.system_prompt,
            question=config.dataset.question,
            inference=config.inference,
            output=draft.folder,
        )
        reply = call(
            "videoguard.inference",
            request,
            InferenceReply,
            threads=config.inference.threads,
            timeout_s=48 * HOUR,
            on_event=on_event("answers of the adapter" if adapter else "answers of the base"),
        )
        draft.facts = reply.model_dump(mode="json")

    return make(state, _provenance(config, base, adapter, dataset, frames, state), fill)
