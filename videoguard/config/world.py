"""World generation: `WorldConfig`, as `configs/cosmos.yaml` writes it. The flow `generate-world` reads it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from videoguard.config.places import ExecutionSection, RegistrySection
from videoguard.config.section import PositiveFloat, PositiveInt, Section, Share

OFF = "off"
SIZES = {"480p": (768, 432), "720p": (1280, 704)}
"""Width and height of a resolution, pixels; both are divisible by 16 as the model wants."""
DEFAULT_FRAMES = {16: 93, 10: 61}
"""Frames of a clip at a frame rate, as the model was trained: 5.8 s and 6.1 s."""
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class TinyWorld(Section):
    """A tiny pipeline of random weights that the run builds from configurations. What it generates is noise."""

    heads: PositiveInt = 2
    """Attention heads of the transformer, 32 wide each."""
    layers: PositiveInt = 2
    """Blocks of the transformer."""
    vae_width: PositiveInt = 4
    """Channels of the first layer of the VAE."""
    text_width: PositiveInt = 32
    """Width of the text encoder."""


class WorldModelSection(Section):
    """The base model: exactly one of `base` and `tiny`."""

    base: str | None = None
    """Folder of a diffusers pipeline, or a name of the hub."""
    revision: str | None = None
    """Commit or tag of the hub model."""
    tiny: TinyWorld | None = None
    """Build a tiny pipeline instead, which generates noise."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the weights."""
    quantization: Literal["none", "4bit", "8bit"] = "none"
    """Hold the transformer in 4 bits (nf4) or 8, by bitsandbytes; adapters stay in `dtype`."""
    offload: Literal["none", "model", "sequential"] = "none"
    """Keep in the memory of the GPU only the part that works (`model`), or only the layer (`sequential`, slow)."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "WorldModelSection":
        if (self.base is None) == (self.tiny is None):
            raise ValueError("exactly one of base (a pipeline's folder or hub name) and tiny must be given")
        return self


class WorldAdapter(Section):
    """A LoRA adapter, and how strongly it works."""

    path: Path
    """peft folder, `.safetensors` file of LoRA weights, or NVIDIA's `.pt`."""
    name: str | None = None
    """What it is called; the name of its file or folder when absent."""
    weight: float = 1.0
    """Factor of what it adds; 0 is the base. Several adapters add up."""
    rank: PositiveInt | None = None
    """Refuse it where its rank is another."""
    alpha: PositiveFloat | None = None
    """Alpha of its training where its file does not say it; refused where the file says another."""
    targets: tuple[str, ...] | None = None
    """Ends of the names of the modules that it must adapt, in NVIDIA's words or those of diffusers."""


class WorldItem(Section):
    """A clip to generate."""

    input: Path
    """Picture, or video whose last frames the clip goes on from."""
    prompt: Annotated[str, Field(min_length=1)]
    """What happens."""
    output: Path
    """File to write, `.mp4`; a relative one lies in the folder `output`."""
    seed: Seed | None = None
    """In place of the recipe's."""
    negative_prompt: str | None = None
    """In place of the recipe's."""

    @field_validator("output")
    @classmethod
    def _is_mp4(cls, output: Path) -> Path:
        if output.suffix != ".mp4":
            raise ValueError("it must end in .mp4")
        return output


class WorldInputs(Section):
    """What is generated: a batch file, items, or both."""

    batch: Path | None = None
    """JSON list of `{"input_video", "prompt", "output_video"}`."""
    items: tuple[WorldItem, ...] = ()


class GenerationSection(Section):
    """How clips are generated."""

    resolution: Literal["480p", "720p"] = "480p"
    """768×432 or 1280×704 pixels."""
    size: tuple[PositiveInt, PositiveInt] | None = None
    """Width and height, pixels, in place of a resolution; for tiny pipelines."""
    fps: Literal[16, 10] = 16
    """Frames per second of the clip. The base has to be one that was trained at it."""
    frames: PositiveInt | None = None
    """Frames of the clip with those of the condition; 93 at 16 frames per second and 61 at 10 when absent."""
    condition_frames: Literal[1, 5] = 1
    """Last frames of the input that the clip begins with; a picture has 1."""
    guidance: Annotated[float, Field(ge=0.0)] = 7.0
    """How strongly the prompt is followed against the negative one; 1 or less leaves the negative one out."""
    steps: PositiveInt = 35
    """Denoising steps."""
    negative_prompt: str | None = None
    """What is to be avoided; the text of the model's makers when absent."""
    processes: PositiveInt | None = None
    """Processes that generate, one a GPU; as many as there are GPUs when absent. They share the items."""
    threads: PositiveInt = 1
    """Threads of each process on a CPU."""

    @model_validator(mode="after")
    def _fit_the_model(self) -> "GenerationSection":
        if self.frame_count % 4 != 1:
            raise ValueError(f"frames is {self.frame_count}: it must be one more than a multiple of 4, such as 61 or 93")
        if self.frame_count <= self.condition_frames:
            raise ValueError(f"frames is {self.frame_count}: it must be more than condition_frames, {self.condition_frames}")
        if any(side % 16 for side in self.pixels):
            raise ValueError(f"size is {list(self.pixels)}: both sides must be divisible by 16")
        return self

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height."""
        return self.size or SIZES[self.resolution]

    @property
    def frame_count(self) -> int:
        """Frames of a clip."""
        return self.frames or DEFAULT_FRAMES[self.fps]


class SafetySection(Section):
    """What looks at prompts and clips, and what rewrites prompts."""

    guardrail: str | None = None
    """`cosmos` (the package cosmos-guardrail), `package.module:attribute` of your own, or `off`. When absent: `cosmos` for a
    real model, `off` for a tiny one. Each clip's record tells which it was."""
    refiner: str | None = None
    """`vision` (a vision-language model rewrites the prompt), `package.module:attribute` of your own, or `off`. When absent:
    `vision` for a real model, `off` for a tiny one."""
    refiner_model: str = "nvidia/Cosmos-Reason1-7B"
    """Folder or hub name of the model of the refiner `vision`."""


class WorldTraining(Section):
    """LoRA post-training of the transformer by flow matching (Lipman et al. 2023, https://arxiv.org/abs/2210.02747)."""

    batch: Path
    """JSON list of `{"input_video", "prompt"}`: clips to learn from. The first frames of each are taken."""
    rank: PositiveInt = 16
    alpha: PositiveFloat = 16.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "output_proj", "mlp.layer1", "mlp.layer2")
    """Ends of the names of the adapted modules, in NVIDIA's words or those of diffusers."""
    steps: PositiveInt = 1000
    """Optimizer steps."""
    batch_size: PositiveInt = 1
    learning_rate: PositiveFloat = 1e-4
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    text_dropout: Share = 0.2
    """Share of examples whose prompt is left out, so that guidance goes on to work."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass, for less memory."""
    checkpoint_every: PositiveInt = 100
    """Steps between checkpoints. A killed training goes on from the last one with the same result."""
    log_every: PositiveInt = 10
    """Steps between points of the curve."""


class WorldEvaluation(Section):
    """Measurements of the clips that need no judge."""

    compare_base: bool = True
    """Where there are adapters, generate each clip with the base alone too, by the same seed, and set both side by side."""
    repeat: Annotated[int, Field(ge=0)] = 1
    """Clips that are generated once more, to see that a seed gives the same frames again."""


class WorldReport(Section):
    """The workbook of clips."""

    folder: Path = Path("reports")
    title: str = "Generated clips"


class WorldConfig(Section):
    """One recipe of the flow `generate-world`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "world"
    """Short name; it stands in the workbook's name."""
    seed: Seed = 0
    """Seed of every clip that has none of its own, and of the training."""
    model: WorldModelSection
    adapters: tuple[WorldAdapter, ...] = ()
    inputs: WorldInputs
    output: Path = Path("data/generated")
    """Folder of the clips."""
    generation: GenerationSection = GenerationSection()
    safety: SafetySection = SafetySection()
    training: WorldTraining | None = None
    """Train an adapter first; it works beside `adapters`."""
    evaluation: WorldEvaluation | None = WorldEvaluation()
    """Absent (`null`): clips are generated and neither measured nor put into a workbook."""
    report: WorldReport = WorldReport()
    registry: RegistrySection = RegistrySection(experiment="video-guard-world", registered_model="video-guard-world")
    execution: ExecutionSection = ExecutionSection()
    record: dict[str, JsonValue] | None = None
    """What the file beside a clip tells of it. It is not read: so that file is a recipe that makes the clip again."""

    @model_validator(mode="after")
    def _hold_together(self) -> "WorldConfig":
        if self.inputs.batch is None and not self.inputs.items:
            raise ValueError("inputs is empty: give batch (a JSON list) or items")
        if self.execution.runner != "threads":
            raise ValueError(
                f"execution.runner is {self.execution.runner}: clips are generated on this machine, so take threads"
            )
        names = [adapter.name or adapter.path.stem for adapter in self.adapters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"adapters: {', '.join(twice)} is there twice: give each a name of its own")
        return self

    @property
    def guardrail(self) -> str:
        """The guardrail, with the default of the model."""
        return self.safety.guardrail or (OFF if self.model.tiny else "cosmos")

    @property
    def refiner(self) -> str:
        """The prompt refiner, with the default of the model."""
        return self.safety.refiner or (OFF if self.model.tiny else "vision")
