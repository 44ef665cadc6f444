"""Samples and stored frames in; a `datasets` folder of train, validation and test rows out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets import Dataset, DatasetDict, Features, List, Value, disable_progress_bars, load_from_disk

from videoguard.dataset.grouping import BY_VIDEO, Group, content_of, group_samples
from videoguard.dataset.guard import TimesOf, guarded_video, test_row, training_rows
from videoguard.dataset.messages import Message, Prompt, PromptTemplates, conversation, prompt_values
from videoguard.dataset.requirements import require_fields
from videoguard.dataset.splits import SPLITS, Split, assign_splits, given_splits
from videoguard.errors import UserError
from videoguard.manifests.labels import label_of
from videoguard.manifests.sample import Sample
from videoguard.manifests.trainable import is_text_alone

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
        # Of the test split: a `GuardedVideo` as JSON, where the videos are guarded.
        "guard": Value("string"),
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
    group_by: str = BY_VIDEO,
    stratify: bool = True,
    times_of: TimesOf | None = None,
) -> dict[str, int]:
    """Write the rows of every split to `folder`, return their numbers by split.

    A guarded video is one row of the test split, and in the others a row a clip and one for the answer at its end.

    Args:
        samples: the manifest's samples, with wanted answers; those whose media have no digest (quarantined) are left out.
        media_digests: content digest by name of the clip.
        validation: share of the groups that choose the best adapter.
        test: share of the groups that are held out.
        seed: of the assignment to splits.
        system_prompt: template of the message put before every conversation, in place of a sample's own.
        question: template of what is asked, in place of every sample's own.
        folder: must not exist or be empty.
        group_by: `video` (its content), or a field of the manifest: what must not stand in two splits.
        stratify: whether every split gets some of each label that has enough groups.
        times_of: when the stored frames of a clip are shown; needed for guarded videos.

    Raises:
        UserError: samples lack a field that splits or prompts need, the given splits overlap, or one of train and test is
            left without rows.
    """
    kept = [sample for sample in samples if content_of(sample, media_digests) is not None]
    templates = PromptTemplates(system_prompt, question)
    require_fields(kept, group_by, templates)
    groups = group_samples(kept, media_digests, group_by)
    splits = _splits(groups, validation=validation, test=test, seed=seed, stratify=stratify)
    rows: dict[Split, list[dict[str, object]]] = {split: [] for split in SPLITS}
    group_of = {sample.id: group.name for group in groups for sample in group.samples}
    for sample in sorted(kept, key=lambda sample: sample.id):
        group = group_of[sample.id]
        rows[splits[group]] += _rows(sample, group, templates, splits[group], times_of)
    for split in ("train", "test"):
        if not rows[split]:
            shown = "questions" if is_text_alone(kept) else "videos"
            grouped = shown if group_by == BY_VIDEO else f"values of {group_by}"
            raise UserError(
                f"split {split} is empty: {len(kept)} usable samples of {len(groups)} distinct {grouped} are too few for "
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


def _splits(groups: Sequence[Group], *, validation: float, test: float, seed: int, stratify: bool) -> dict[str, Split]:
    given = given_splits(
        {group.name: [(sample.id, sample.split) for sample in group.samples] for group in groups},
        {group.name: group.description for group in groups},
    )
    free = [group for group in groups if group.name not in given]
    labels = {group.name: group.label for group in free} if stratify else {}
    # A manifest that names its own test or validation split wants no other.
    taken = set(given.values())
    assigned = assign_splits(
        (group.name for group in free),
        validation=0.0 if "validation" in taken else validation,
        test=0.0 if "test" in taken else test,
        seed=seed,
        labels={name: label for name, label in labels.items() if label is not None},
    )
    return assigned | given


def _table(rows: Sequence[Mapping[str, object]]) -> Dataset:
    # By columns: without rows, a list of rows would have no columns either, and the folder could not be read.
    return Dataset.from_dict({name: [row[name] for row in rows] for name in _FEATURES}, features=_FEATURES)


def _rows(
    sample: Sample, group: str, templates: PromptTemplates, split: Split, times_of: TimesOf | None
) -> list[dict[str, object]]:
    prompt = templates.fill(prompt_values(sample))
    shared = {"group": group, "label": label_of(sample), "question": prompt.question, "guard": None}
    if sample.guard is None:
        return [{**shared, **_own_fields(sample, prompt)}]
    assert times_of is not None
    video = guarded_video(sample, times_of)
    own = [test_row(sample, video, prompt)] if split == "test" else training_rows(sample, video, prompt)
    return [{**shared, **fields} for fields in own]


def _own_fields(sample: Sample, prompt: Prompt) -> dict[str, object]:
    return {
        "id": sample.id,
        "video": sample.clip,
        "answer": sample.answer,
        "messages": conversation(
            prompt.question, sample.answer, prompt.system, sample.history, shows=sample.clip is not None
        ),
    }
