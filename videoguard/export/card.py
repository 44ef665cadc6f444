"""The model card: a README.md with the metadata of the Hugging Face hub, and what a user of the model must know."""

from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from videoguard.models.preprocessing import PreprocessingRecord

_TEMPLATE = """\
---
{{ card_data }}
---

# {{ title }}

{{ kind }} of `{{ base }}`, fine-tuned with Video-Guard.

## How to use it

```python
{{ usage }}
```

The model was trained on frames that were taken as follows, and answers as it was scored only where it gets them so:

{{ preprocessing }}

## Scores

{{ scores }}

## Training

{{ training }}

## Limits

The scores hold for videos like those of its data set. The model was not examined for other subjects, lighting, cameras or
languages, nor for bias. Its answers are no medical or safety advice.
"""

_USE_ADAPTER = """\
from pathlib import Path
from videoguard.inference.predictor import load_predictor

predictor = load_predictor(Path("{folder}"), base="{base}")
print(predictor.predict([Path("video.mp4")]{question})[0].answer)"""

_USE_MERGED = """\
from transformers import {auto_class}, AutoProcessor

model = {auto_class}.from_pretrained("{folder}")
processor = AutoProcessor.from_pretrained("{folder}")"""

_METRICS = {
    "exercise_accuracy": "Exercise accuracy",
    "bert_similarity": "BERT similarity",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "json_validity": "JSON validity",
}
# No name of a file: the data are private.
_TOLD = ("seed", "dataset.", "training.", "augmentation.", "model.dtype", "model.quantization")


def write_card(
    folder: Path,
    *,
    title: str,
    base: str,
    record: PreprocessingRecord,
    scores: Mapping[str, float],
    settings: Mapping[str, str],
    merged: bool,
    has_vision: bool = True,
) -> None:
    """Write `README.md` into the folder of an exported model.

    Args:
        folder: of the model.
        title: heading, and name of the model.
        base: hub name, or name, of the base model.
        record: how the model sees a video.
        scores: metrics of the run that trained it: `fine_tuned.NAME`, and `base.NAME` where the base was scored too.
        settings: parameters of that run by flat name; what concerns data and training is told.
        merged: whether the folder holds whole weights, or an adapter.
        has_vision: whether the model takes videos or images.
    """
    tuned = {name: scores[f"fine_tuned.{name}"] for name in _METRICS if f"fine_tuned.{name}" in scores}
    task = "video-text-to-text" if has_vision else "text-generation"
    results = [
        EvalResult(
            task_type=task,
            dataset_type="private",
            dataset_name="held-out videos of the data set",
            metric_type=name,
            metric_name=_METRICS[name],
            metric_value=round(value, 4),
        )
        for name, value in tuned.items()
    ]
    data = ModelCardData(
        base_model=base,
        library_name="transformers" if merged else "peft",
        pipeline_tag=task,
        tags=["video-guard", "lora"],
        model_name=title if results else None,
        eval_results=results or None,
    )
    auto_class = "AutoModelForImageTextToText" if has_vision else "AutoModelForCausalLM"
    use = _USE_MERGED if merged else _USE_ADAPTER
    question = "" if record.question else ', question="…"'
    card = ModelCard.from_template(
        data,
        template_str=_TEMPLATE,
        title=title,
        kind="The weights with a LoRA adapter merged into those" if merged else "A LoRA adapter",
        base=base,
        usage=use.format(folder=title, base=base, auto_class=auto_class, question=question),
        preprocessing=_table(("setting", "value"), _preprocessing(record)),
        scores=_scores(tuned, scores),
        training=_table(("setting", "value"), {k: v for k, v in settings.items() if k.startswith(_TOLD) and v != "None"}),
    )
    card.save(folder / "README.md")


def _preprocessing(record: PreprocessingRecord) -> dict[str, str]:
    left_out = {"schema_version", "base", "base_digest", "processor_digest"}
    return {name: str(value) for name, value in record.model_dump(exclude=left_out).items() if value is not None}


def _scores(tuned: Mapping[str, float], scores: Mapping[str, float]) -> str:
    if not tuned:
        return "The model was not scored by the run that trained it, or the run is not known."
    lines = ["On the held-out videos; a mean is between 0 and 1.", "", "| metric | this model | its base |", "|---|---|---|"]
    for name, value in tuned.items():
        base = scores.get(f"base.{name}")
        lines.append(f"| {_METRICS[name]} | {value:.3f} | {'—' if base is None else f'{base:.3f}'} |")
    return "\n".join(lines)


def _table(header: tuple[str, str], rows: Mapping[str, str]) -> str:
    if not rows:
        return "The run that trained it is not known."
    lines = [f"| {header[0]} | {header[1]} |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(lines)


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
