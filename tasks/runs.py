"""The MLflow runs of a flow run: one of the whole recipe; below it the training and the evaluation of each model."""

from datetime import UTC, datetime
from typing import Literal

from prefect.runtime import flow_run

from tasks.base_model import BaseReference
from tasks.dataset import counts_of
from tasks.step import Workplace
from videoguard.artifacts.records import Artifact, read_record
from videoguard.config import RunConfig
from videoguard.digests import digest_json
from videoguard.recipes import flatten
from videoguard.registry.request import DataUsed, NewRun
from videoguard.revision import code_revision

PART, MODEL = "video_guard.part", "video_guard.model"
"""Tags that tell what a run below the recipe's is of."""


def recipe_run(place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact) -> NewRun:
    """The run of the whole recipe."""
    return NewRun(
        name=f"{config.name} {datetime.now(UTC):%Y-%m-%d %H:%M}",
        settings=flatten(config.model_dump(mode="json")),
        tags={"recipe": config.name, PART: "recipe", **_made_by(base, dataset)},
        data=(
            *data_used(place, config, dataset, "train"),
            *data_used(place, config, dataset, "validation"),
            *data_used(place, config, dataset, "test"),
        ),
    )


def training_run(place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact) -> NewRun:
    """The run of the training, below that of the recipe."""
    return NewRun(
        name=f"{config.name} training",
        settings=flatten(config.model_dump(mode="json")),
        tags={"recipe": config.name, PART: "training", **_made_by(base, dataset)},
        data=(*data_used(place, config, dataset, "train"), *data_used(place, config, dataset, "validation")),
    )


def evaluation_run(place: Workplace, config: RunConfig, base: BaseReference, dataset: Artifact, model: str) -> NewRun:
    """The run of one model's evaluation, below that of the recipe."""
    return NewRun(
        name=f"{config.name} {model.replace('_', '-')}",
        settings={"model": model, **flatten(config.model_dump(mode="json"))},
        tags={"recipe": config.name, PART: "evaluation", MODEL: model, **_made_by(base, dataset)},
        data=data_used(place, config, dataset, "test"),
    )


_CONTEXTS: dict[str, Literal["training", "validation", "evaluation"]] = {
    "train": "training",
    "validation": "validation",
    "test": "evaluation",
}


def data_used(place: Workplace, config: RunConfig, dataset: Artifact, split: str) -> tuple[DataUsed, ...]:
    """A split with the digest of its own rows; nothing where it has none."""
    record = read_record(place.path(dataset))
    rows = counts_of(dataset, "rows").get(split, 0)
    if record is None or rows == 0:
        return ()
    files = {name: file.sha256 for name, file in record.files.items() if name.startswith(f"{split}/")}
    return (
        DataUsed(
            name=f"{config.name}/{split}",
            digest=digest_json(files or {"dataset": dataset.digest, "split": split}),
            source=str((place.path(dataset) / split).absolute()),
            rows=rows,
            context=_CONTEXTS[split],
        ),
    )


def _made_by(base: BaseReference, dataset: Artifact) -> dict[str, str]:
    revision = code_revision()
    address = flow_run.get_flow_run_ui_url() if flow_run.get_id() else None
    return {
        "code_revision": revision,
        "code_dirty": str("dirty" in revision).lower(),
        "prefect_flow_run": str(flow_run.get_id() or ""),
        **({} if address is None else {"prefect_flow_run_url": address}),
        "base_model": base.name,
        "base_digest": base.digest,
        "dataset_digest": dataset.digest,
    }
