"""What one run is: `RunConfig` and its sections, as the YAML recipes under `configs/` write them.

Unknown keys are refused, and every error is reported at once. Paths are relative to the working folder.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
MetricName = Literal["bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "json_validity"]


class Section(BaseModel):
    """A part of the configuration: immutable, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


class SyntheticVideos(Section):
    """Stick-figure exercise videos that the run makes for itself (the quickstart)."""

    videos_per_form: PositiveInt = 31
    """Videos of each of the 24 pairs of exercise and form."""
    answers: Literal["text", "json"] = "text"
    """`exercise - feedback`, or a JSON object with exercise, form and feedback."""
    size: PositiveInt = 96
    """Width and height of a video, pixels (even)."""
    seconds: PositiveFloat = 2.0
    """Length of a video, seconds."""
    fps: PositiveInt = 12
    """Frames per second."""


class DataSection(Section):
    """Where the videos and the wanted answers are."""

    manifest: Path
    """List of videos with their questions and wanted answers: a file in any format of docs/data.md, a folder that `datasets`
    saved, or `owner/data-set` of the Hugging Face hub."""
    media_root: Path | None = None
    """Folder that the video paths of the manifest are relative to; the manifest's own folder when absent."""
    allow_outside: bool = False
    """Let the manifest name videos outside `media_root`, by absolute paths or `..`."""
    synthetic: SyntheticVideos | None = None
    """Make these videos, and the manifest, before the run."""


class FramesSection(Section):
    """How a video becomes stored frames. Shared by training, inference, evaluation and report."""

    sampling: Literal["uniform"] = "uniform"
    """`uniform`: the middles of `count` equal spans of the whole clip, by real timestamps."""
    count: PositiveInt = 8
    """Frames taken of a video; a shorter video gives the distinct frames that it has."""
    max_side: PositiveInt = 640
    """Longest side of a stored frame, pixels; larger frames are scaled down, smaller ones are kept as they are."""
    codec: Literal["jpeg", "png"] = "jpeg"
    """How stored frames are encoded; `png` is lossless."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 95
    """Quality of stored JPEG frames."""
    shards: PositiveInt = 8
    """Files that the videos are spread over by content digest."""
    workers: PositiveInt = 2
    """Processes that decode."""
    timeout_s: PositiveFloat = 120.0
    """Longest time that one video may take to decode, seconds."""


class DatasetSection(Section):
    """Who learns from what, and what the model is asked."""

    validation: Fraction = 0.1
    """Share of source videos that choose the best adapter."""
    test: Fraction = 0.2
    """Share of source videos that are held out for the evaluation."""
    group_by: str = "video"
    """What must not stand in two splits: `video`, the content of the video file, or a field of the manifest such as
    `subject`, whose videos then stay together."""
    stratify: bool = True
    """Give every split some of each label that has enough groups for it."""
    system_prompt: str | None = None
    """System message put before every conversation in place of the manifest's own. `{label}`, `{question}`, `{system}`,
    `{video}` and `{any field of the manifest}` are filled in; `{{label}}` stands for `{label}`."""
    question: str | None = None
    """Question asked of every video in place of the manifest's own; filled in likewise."""

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> "DatasetSection":
        if self.validation + self.test >= 1.0:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on: together they must be below 1"
            )
        return self


class TinyModel(Section):
    """A tiny InternVL that the run builds from its config and briefly pre-trains (quickstart and tests)."""

    image_size: PositiveInt = 64
    """Side of the square image that the vision tower sees, pixels."""
    patch_size: PositiveInt = 16
    """Side of a vision patch, pixels."""
    vision_width: PositiveInt = 64
    """Hidden size of the vision tower."""
    text_width: PositiveInt = 128
    """Hidden size of the language model."""
    layers: PositiveInt = 2
    """Layers of the vision tower and of the language model."""
    vocabulary: PositiveInt = 768
    """Largest number of tokens of the byte-level BPE tokenizer."""
    pretraining_steps: Annotated[int, Field(ge=0)] = 300
    """Optimizer steps of the pre-training."""
    pretraining_batch: PositiveInt = 16
    """Examples of one pre-training step."""
    pretraining_learning_rate: PositiveFloat = 4e-3
    """Highest learning rate of the pre-training."""
    pretraining_videos_per_form: PositiveInt = 24
    """Rendered clips of each pair of exercise and form seen in the pre-training; never those of the data set."""
    answer_share: Fraction = 0.2
    """Share of pre-training examples that ask the real question and answer with a random label."""


class ModelSection(Section):
    """The base model: exactly one of `base` and `tiny`."""

    base: str | None = None
    """A model folder, or a name of the Hugging Face hub."""
    revision: str | None = None
    """Commit or tag of the hub model."""
    tiny: TinyModel | None = None
    """Build a tiny model instead of loading one."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the weights in training and inference."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "ModelSection":
        if (self.base is None) == (self.tiny is None):
            raise ValueError("exactly one of base (a model folder or hub name) and tiny must be given")
        return self


class LoraSection(Section):
    """The low-rank adapter (Hu et al. 2021, https://arxiv.org/abs/2106.09685)."""

    r: PositiveInt = 16
    """Rank."""
    alpha: PositiveInt = 32
    """Scale: the update is multiplied by alpha / r."""
    dropout: Fraction = 0.0
    """Dropout before the adapter."""
    targets: tuple[str, ...] | Literal["all-linear"] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )
    """Names of the adapted modules, within the language model."""


class TrainingSection(Section):
    """The optimisation of the adapter."""

    epochs: PositiveFloat = 3.0
    """Passes over the training split."""
    batch_size: PositiveInt = 4
    """Examples of one forward pass."""
    accumulation: PositiveInt = 1
    """Forward passes of one optimizer step."""
    learning_rate: PositiveFloat = 2e-4
    """Highest learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """Course of the learning rate after the warm-up."""
    warmup: Fraction = 0.03
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight decay of AdamW."""
    max_grad_norm: PositiveFloat = 1.0
    """Gradients are clipped to this norm."""
    evaluations: PositiveInt = 6
    """How often the validation split is measured and a checkpoint kept."""
    max_tokens: PositiveInt = 4096
    """Longest example, tokens; a longer one is refused before the training starts."""
    threads: PositiveInt = 1
    """Threads of the training process on a CPU; the same number gives the same adapter bytes."""
    lora: LoraSection = LoraSection()


class InferenceSection(Section):
    """How answers are generated (greedily)."""

    batch_size: PositiveInt = 32
    """Videos answered together."""
    max_new_tokens: PositiveInt = 256
    """Longest answer, tokens."""
    threads: PositiveInt = 1
    """Threads of the inference process on a CPU."""
    shards: PositiveInt = 1
    """Parts of the test split that are answered as tasks of their own, cut by video content; each loads the model."""


class EvaluationSection(Section):
    """How answers are scored."""

    metrics: tuple[MetricName, ...] = ("bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "json_validity")
    """Metrics to compute."""
    sentence_model: str = "sentence-transformers/all-MiniLM-L6-v2"
    """Sentence encoder of the BERT similarity: a folder or a hub name."""


class Band(Section):
    """Two thresholds of a score: at least `green` is good, at least `yellow` is middling, below is poor."""

    green: float
    yellow: float

    @model_validator(mode="after")
    def _ordered(self) -> "Band":
        if self.yellow > self.green:
            raise ValueError(f"yellow {self.yellow} is above green {self.green}: it must be at most as high")
        return self


class ReportSection(Section):
    """The workbook."""

    folder: Path = Path("reports")
    """Where workbooks are put."""
    title: str = "Video-Guard evaluation"
    """Heading of the workbook."""
    bands: dict[MetricName, Band] = {
        "bert_similarity": Band(green=0.7, yellow=0.4),
        "meteor": Band(green=0.5, yellow=0.2),
        "rouge_l": Band(green=0.5, yellow=0.2),
        "exercise_accuracy": Band(green=0.9, yellow=0.7),
        "json_validity": Band(green=0.98, yellow=0.9),
    }
    """Colour thresholds of each metric."""


class RegistrySection(Section):
    """MLflow."""

    tracking_uri: str | None = None
    """MLflow server or database; a SQLite file in the state folder when absent."""
    experiment: str = "video-guard"
    """Experiment that the runs belong to."""
    registered_model: str = "video-guard"
    """Name under which adapters are registered."""

    def uri(self, state: Path) -> str:
        """The MLflow server or database that is meant, with a SQLite file in the folder `state` as the default."""
        return self.tracking_uri or f"sqlite:///{(state / 'mlflow.db').absolute()}"


class ExecutionSection(Section):
    """Where the run keeps its state."""

    state: Path = Path(".video-guard")
    """Folder of artifacts, MLflow and Prefect."""
    store: str | None = None
    """Folder or fsspec URL (`s3://bucket/folder`) of artifacts that a team shares; the state folder then caches it."""


class RunConfig(Section):
    """One recipe: everything that decides the result of the flow `train-eval`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Short name of the recipe; it stands in the run's and the workbook's name."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of everything random."""
    data: DataSection
    frames: FramesSection = FramesSection()
    dataset: DatasetSection = DatasetSection()
    model: ModelSection
    training: TrainingSection = TrainingSection()
    inference: InferenceSection = InferenceSection()
    evaluation: EvaluationSection = EvaluationSection()
    report: ReportSection = ReportSection()
    registry: RegistrySection = RegistrySection()
    execution: ExecutionSection = ExecutionSection()
