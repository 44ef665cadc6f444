"""What is asked about each sample, in the words of the model's training."""

from collections.abc import Sequence
from pathlib import Path

from videoguard.dataset.messages import PromptTemplates, conversation, prompt_values
from videoguard.errors import UserError
from videoguard.inference.label_form import LabelForm, find_label_form
from videoguard.inference.prompts import Question
from videoguard.manifests.labels import label_of
from videoguard.manifests.sample import Sample
from videoguard.models.preprocessing import PreprocessingRecord

MANIFEST_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"})


def sample_of_video(video: Path) -> Sample:
    """A video file that no manifest speaks of."""
    return Sample(id=str(video), root=Path(), question="", answer=None, video=str(video))


def is_manifest(given: Path) -> bool:
    """Whether what the user gave is a manifest, and not a video."""
    return given.is_dir() or given.suffix.lower() in MANIFEST_SUFFIXES


def ask(samples: Sequence[Sample], record: PreprocessingRecord, question: str | None) -> list[Question]:
    """A question about each sample.

    A question of one's own takes the place of the training's, and goes into its template where that wants one. Else the
    template of the training is filled, or the sample's own question asked.

    Raises:
        UserError: a sample has no question, or lacks a value that the prompts of the training name.
    """
    trained = PromptTemplates(record.system_prompt, record.question)
    templates = trained if question is None or trained.asks_for("question") else PromptTemplates(trained.system)
    return [_ask(sample, templates, question) for sample in samples]


def find_labels(samples: Sequence[Sample]) -> LabelForm:
    """The labels of samples, and how their wanted answers write them.

    Raises:
        UserError: no sample has a wanted answer with a label, or the answers do not name their labels in one place.
    """
    pairs = [(sample.answer, label_of(sample)) for sample in samples if sample.answer]
    if not any(label for _, label in pairs):
        raise UserError(
            "--label-scores takes the labels from the wanted answers of a manifest, and no sample has an answer with a "
            "label: give a manifest that has them, or leave --label-scores off"
        )
    return find_label_form(pairs, "--label-scores", "the manifest")


def _ask(sample: Sample, templates: PromptTemplates, question: str | None) -> Question:
    values = {**prompt_values(sample), **({"question": question} if question is not None else {})}
    if not values["question"]:
        del values["question"]
        if templates.question is None:
            raise UserError(
                f"no question is given for {sample.id}: the model was trained on the questions of its manifest, so ask one "
                "(--question)"
            )
    if lacking := templates.lacking(values):
        raise UserError(f"{sample.id} has no value for {', '.join(lacking)}: the prompts of the training name it")
    prompt = templates.fill(values)
    told = {
        "id": sample.id,
        "video": sample.clip,
        "group": sample.clip or prompt.question,
        "label": label_of(sample),
        "question": prompt.question,
        "reference": sample.answer or "",
    }
    shows = sample.clip is not None
    return Question(told, conversation(prompt.question, None, prompt.system, sample.history, shows=shows))
