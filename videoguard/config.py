"""What one run is: `RunConfig` and its sections, as the YAML recipes under `configs/` write them.

Unknown keys are refused, and every error is reported at once. Paths are relative to the working folder.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
GreyLevel = Annotated[float, Field(ge=0.0, le=255.0)]
Degrees = Annotated[float, Field(ge=0.0, le=90.0)]
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


class FrameLimits(Section):
    """The largest source video that is decoded: one whose header claims more is quarantined before any of it is decoded."""

    longest_side: PositiveInt = 8192
    """Longer side of a source frame, pixels."""
    pixels: PositiveInt = 36_000_000
    """Width times height of a source frame; 8K (7680 × 4320) is 33,177,600."""
    duration_s: PositiveFloat = 14_400.0
    """Length of a source video, seconds."""
    frames: PositiveInt = 1_000_000
    """Frames of a source video."""


class FramesSection(Section):
    """How a video becomes stored frames. Shared by training, inference, evaluation and report."""

    sampling: Literal["uniform", "first_to_last", "fps", "stride"] = "uniform"
    """By real timestamps: `uniform`, the middles of `count` equal spans of the whole clip; `first_to_last`, `count` equal
    steps from the first frame to the last; `fps`, so many a second, and `count` uniform ones of a clip that has more;
    `stride`, each `stride`-th frame from the first on, closer together where a clip is too short for `count`."""
    count: PositiveInt = 8
    """Frames taken of a video, the most with `fps`; a shorter video gives the distinct frames that it has."""
    fps: PositiveFloat | None = None
    """With `sampling: fps`: frames per second."""
    stride: PositiveInt | None = None
    """With `sampling: stride`: 1 takes each frame, 2 every other."""
    resize: Literal["fit", "pixels", "cover", "exact"] = "fit"
    """`fit` scales down to `max_side` and `pixels` to `max_pixels`, both in the source's shape and never up; `cover` fills
    `width` by `height` and cuts off what is over on both sides; `exact` stretches to `width` by `height`."""
    max_side: PositiveInt = 640
    """Longest side of a stored frame, pixels; larger frames are scaled down, smaller ones are kept as they are."""
    max_pixels: PositiveInt | None = None
    """With `resize: pixels`: most pixels of a stored frame, width times height."""
    width: PositiveInt | None = None
    """With `resize: cover` or `exact`: width of a stored frame, pixels."""
    height: PositiveInt | None = None
    """With `resize: cover` or `exact`: height of a stored frame, pixels."""
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
    memory_mb: PositiveInt = 2048
    """Most memory that decoding one video may take, MiB; the decoding processes together take `workers` times that."""
    limits: FrameLimits = FrameLimits()

    @model_validator(mode="after")
    def _rules_have_their_values(self) -> "FramesSection":
        belongs = {
            "fps": ("sampling", self.sampling, {"fps"}),
            "stride": ("sampling", self.sampling, {"stride"}),
            "max_pixels": ("resize", self.resize, {"pixels"}),
            "width": ("resize", self.resize, {"cover", "exact"}),
            "height": ("resize", self.resize, {"cover", "exact"}),
        }
        problems = []
        for name, (rule, chosen, users) in belongs.items():
            if (chosen in users) == (getattr(self, name) is not None):
                continue
            if chosen in users:
                problems.append(f"{rule} is {chosen!r}: {name} must be given with it")
            else:
                meant = " or ".join(f"{rule}: {user}" for user in sorted(users))
                problems.append(f"{name} is {getattr(self, name)}, {rule} is {chosen!r}: {name} goes with {meant} alone")
        if problems:
            raise ValueError("; ".join(problems))
        return self


class QualitySection(Section):
    """Which videos are good enough, judged by their stored frames. A rule that is not set leaves no video out."""

    min_width: PositiveInt | None = None
    """Least width of the source, pixels."""
    min_height: PositiveInt | None = None
    """Least height of the source, pixels."""
    min_brightness: GreyLevel | None = None
    """Least mean grey level, 0 (black) to 255."""
    max_brightness: GreyLevel | None = None
    """Highest mean grey level."""
    min_sharpness: Annotated[float, Field(ge=0.0)] | None = None
    """Least variance of the Laplacian, mean over the stored frames; it falls with the size of the stored frames."""
    min_motion: Share | None = None
    """Least share of neighbouring stored frames that differ visibly; asked of classes that move, not of those that hold."""
    max_black: Share | None = None
    """Highest share of black frames."""
    max_frozen: Share | None = None
    """Highest share of neighbouring stored frames that are the same picture."""
    max_likeness: Share | None = None
    """Of videos whose perceptual hashes agree in more than this share of their bits, the first by name is kept."""
    motion: tuple[str, ...] = ()
    """Classes (exercises) that move, whatever most of their videos show."""
    hold: tuple[str, ...] = ()
    """Classes that are held still, as a plank is."""

    @model_validator(mode="after")
    def _agree(self) -> "QualitySection":
        low, high = self.min_brightness, self.max_brightness
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_brightness {low:g} is above max_brightness {high:g}: no video could be kept")
        both = set(self.motion) & set(self.hold)
        if both:
            raise ValueError(f"{min(both)!r} is in motion and in hold: name it in one")
        return self


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


class AugmentationSection(Section):
    """Changed copies of the training samples, made of their stored frames; validation and test are never changed.

    A change is drawn once for a copy and is the same in all its frames. 0 leaves it out.
    """

    copies: PositiveInt = 1
    """Changed copies of each training sample, beside the sample itself."""
    flip: Share = 0.0
    """Chance of a mirror image. Left and right change places in question and answer; a sample whose words leave it open
    what they mean is not mirrored."""
    rotate: Degrees = 0.0
    """Largest angle, degrees, either way."""
    blur: Annotated[float, Field(ge=0.0, le=20.0)] = 0.0
    """Largest standard deviation of a Gaussian blur, pixels of the stored frame."""
    brighten: Fraction = 0.0
    """Largest change of brightness, share of it, either way."""
    contrast: Fraction = 0.0
    """Largest change of contrast, share of it, either way."""
    shift: Fraction = 0.0
    """Largest shift, share of width and of height, any way."""
    shear: Annotated[float, Field(ge=0.0, le=45.0)] = 0.0
    """Largest angle of shear, degrees, either way."""
    scale: Fraction = 0.0
    """Largest change of size, share of it, either way."""
    noise: GreyLevel = 0.0
    """Largest standard deviation of added noise, grey levels of 255."""
    tempo: Fraction = 0.0
    """Largest change of speed, share of it, either way: the stored frames are spread wider or closer in time."""

    @model_validator(mode="after")
    def _changes_something(self) -> "AugmentationSection":
        changes = [name for name in type(self).model_fields if name != "copies"]
        if not any(getattr(self, name) for name in changes):
            raise ValueError(f"it changes nothing: set at least one of {', '.join(changes)}, or leave the section out")
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
    quality: QualitySection | None = None
    """Scores and rules of quality; absent, nothing is measured and nothing left out."""
    dataset: DatasetSection = DatasetSection()
    augmentation: AugmentationSection | None = None
    """Changed copies of the training split; absent, there are none."""
    model: ModelSection
    training: TrainingSection = TrainingSection()
    inference: InferenceSection = InferenceSection()
    evaluation: EvaluationSection = EvaluationSection()
    report: ReportSection = ReportSection()
    registry: RegistrySection = RegistrySection()
    execution: ExecutionSection = ExecutionSection()
