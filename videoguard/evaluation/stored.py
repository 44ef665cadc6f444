"""Answers that earlier runs stored of a registered version, and of its base model to the same samples."""

from collections.abc import Sequence
from pathlib import Path

from videoguard.artifacts.records import ArtifactRecord
from videoguard.artifacts.store import ArtifactStore
from videoguard.errors import UserError
from videoguard.inference.rows import AnswerRow, read_rows

_ADAPTER, _DATASET, _ANSWERS = "training", "dataset", "inference"


def stored_answers(state: Path, name: str, adapter_digest: str) -> list[AnswerRow]:
    """The answers of the version's last evaluation.

    Args:
        state: state folder of the runs.
        name: of the version, as the user gave it.
        adapter_digest: of its adapter.

    Raises:
        UserError: no evaluation of it is stored here.
    """
    return _read(state, _last_evaluated(ArtifactStore(state / "artifacts"), name, adapter_digest))


def stored_base_answers(state: Path, name: str, adapter_digest: str) -> list[AnswerRow]:
    """The base model's answers to the samples of the version's last evaluation.

    Raises:
        UserError: no evaluation of the version, or none of its base to these samples, is stored here.
    """
    store = ArtifactStore(state / "artifacts")
    samples = _parents(_last_evaluated(store, name, adapter_digest), _DATASET)
    for shards in _evaluated(store):
        if _parents(shards, _DATASET) == samples and not _parents(shards, _ADAPTER):
            return _read(state, shards)
    raise UserError(f"no answers of the base model to the samples of {name} are stored in {state}: run its recipe again")


def _last_evaluated(store: ArtifactStore, name: str, adapter_digest: str) -> list[ArtifactRecord]:
    for shards in _evaluated(store):
        if _parents(shards, _ADAPTER) == {adapter_digest}:
            return shards
    raise UserError(
        f"no answers of {name} are stored in {store.root}: run its recipe again, or give a file of its predictions"
    )


def _evaluated(store: ArtifactStore) -> list[list[ArtifactRecord]]:
    """The shards of answers of each stored evaluation, the newest first, in their order."""
    records = {record.name: record for record in store.records()}
    evaluations = [record for record in records.values() if record.step == "evaluation"]
    found = []
    for evaluation in reversed(evaluations):
        shards = [records[parent] for parent in evaluation.parents if parent in records]
        if len(shards) == len(evaluation.parents):
            found.append(shards)
    return found


def _parents(shards: Sequence[ArtifactRecord], step: str) -> set[str]:
    """Digests of what these answers came from, of one step."""
    return {digest for record in shards for parent, digest in record.parents.items() if parent.partition("/")[0] == step}


def _read(state: Path, shards: Sequence[ArtifactRecord]) -> list[AnswerRow]:
    folder = state / "artifacts" / _ANSWERS
    return [row for record in shards for row in read_rows(folder / record.key / "rows.jsonl")]
