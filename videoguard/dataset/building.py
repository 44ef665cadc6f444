"""Samples and stored frames in; a `datasets` folder of train, validation and test rows out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets import Dataset, DatasetDict, Features, List, Value, disable_progress_bars, load_from_disk

from videoguard.dataset.messages import Message, conversation
from videoguard.dataset.splits import SPLITS, Split, assign_splits, given_splits
from videoguard.errors import UserError
from videoguard.manifests.labels import exercise_name
from videoguard.manifests.sample import Sample

_PART = {"type": Value("string"), "text": Value("string")}
_FEATURES = Features(
    {
        "id": Value("string"),
        "video": Value("string"),
        "group": Value("string"),
        "label": Value("string"),
        "question": Value("string"),
        "answer": Value("string"),
        "messages": List({"role": Value("string"), "content": List(_PART)}),
    }
)


def build_dataset(
    samples: Sequence[Sample],
    media_digests: Mapping[str, str],
    *,
    validation: float,
    test: float,
    seed: int,
    system_prompt: str | None,
    question: str | None,
    folder: Path,
) -> dict[str, int]:
    """Write the rows of every split to `folder`, return their numbers by split.

    Args:
        samples: the manifest's samples; those whose video has no digest (quarantined) are left out.
        media_digests: content digest by video name. It is the group: the same content under two names is one video.
        validation: share of the groups that choose the best adapter.
        test: share of the groups that are held out.
        seed: of the assignment to splits.
        system_prompt: message put before every conversation.
        question: asked in place of every sample's own.
        folder: must not exist or be empty.

    Raises:
        UserError: the given splits overlap, or one of train and test is left without rows.
    """
    kept = [sample for sample in samples if sample.video in media_digests]
    splits = _splits(kept, media_digests, validation=validation, test=test, seed=seed)
    rows: dict[Split, list[dict[str, object]]] = {split: [] for split in SPLITS}
    for sample in sorted(kept, key=lambda sample: sample.id):
        group = media_digests[sample.video]
        rows[splits[group]].append(_row(sample, group, question or sample.question, system_prompt))
    for split in ("train", "test"):
        if not rows[split]:
            raise UserError(
                f"split {split} is empty: {len(kept)} usable samples of {len(set(splits))} distinct videos are too few for "
                f"dataset.validation={validation} and dataset.test={test}"
            )
    disable_progress_bars()
    tables = DatasetDict({split: _table(rows[split]) for split in SPLITS})
    # One file each: by itself the library writes none for an empty split, and cannot read that again.
    tables.save_to_disk(str(folder), num_shards=dict.fromkeys(SPLITS, 1))
    return {split: len(rows[split]) for split in SPLITS}


def read_split(folder: Path, split: Split) -> Dataset:
    """The rows of one split of a dataset folder."""
    return load_from_disk(str(folder))[split]


def messages_of(row: Mapping[str, list[Message]]) -> list[Message]:
    """The conversation of a row, ending with the wanted answer."""
    return row["messages"]


def _splits(
    samples: Sequence[Sample], media_digests: Mapping[str, str], *, validation: float, test: float, seed: int
) -> dict[str, Split]:
    members: dict[str, list[tuple[str, Split | None]]] = defaultdict(list)
    for sample in samples:
        members[media_digests[sample.video]].append((sample.id, sample.split))
    given = given_splits(members)
    free = [group for group in members if group not in given]
    # A manifest that names its own test or validation split wants no other.
    taken = set(given.values())
    assigned = assign_splits(
        free,
        validation=0.0 if "validation" in taken else validation,
        test=0.0 if "test" in taken else test,
        seed=seed,
    )
    return assigned | given


def _table(rows: Sequence[Mapping[str, object]]) -> Dataset:
    # By columns: without rows, a list of rows would have no columns either, and the folder could not be read.
    return Dataset.from_dict({name: [row[name] for row in rows] for name in _FEATURES}, features=_FEATURES)


def _row(sample: Sample, group: str, question: str, system_prompt: str | None) -> dict[str, object]:
    return {
        "id": sample.id,
        "video": sample.video,
        "group": group,
        "label": exercise_name(sample.answer),
        "question": question,
        "answer": sample.answer,
        "messages": conversation(question, sample.answer, system_prompt),
    }
