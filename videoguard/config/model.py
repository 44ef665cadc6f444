"""The base model."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from videoguard.config.section import Fraction, PositiveFloat, PositiveInt, Section

TinyFamily = Literal[
    "internvl",
    "gemma3n",
    "gemma4",
    "qwen2_5_vl",
    "qwen3_vl",
    "smolvlm",
    "llava_onevision",
    "gpt2",
    "llama",
    "qwen2",
    "qwen3",
]


class TinyModel(Section):
    """A tiny model that the run builds from a config and briefly pre-trains (quickstart and tests)."""

    family: TinyFamily = "internvl"
    """Its `model_type`. The last four read text only."""
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
    pretraining: Literal["exercises", "signs"] = "exercises"
    """What it learns to see: how a figure moves, or the signs of `data.synthetic_guard` (InternVL only). A model of text
    alone sees neither."""
    answer_share: Fraction = 0.2
    """Share of pre-training examples that ask the real question and answer with a random label."""

    @model_validator(mode="after")
    def _sees_signs(self) -> "TinyModel":
        if self.pretraining == "signs" and self.family != "internvl":
            raise ValueError(f"pretraining is signs and family {self.family}: the streaming guard runs with internvl only")
        return self


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
    quantization: Literal["none", "4bit", "8bit"] = "none"
    """Hold the frozen weights of the language model in 4 bits (nf4, Dettmers et al. 2023, https://arxiv.org/abs/2305.14314)
    or 8 (Dettmers et al. 2022, https://arxiv.org/abs/2208.07339), by bitsandbytes; `dtype` is what is computed in."""
    attention: Literal["auto", "sdpa", "flash_attention_2", "eager"] = "auto"
    """How attention is computed; `auto` is flash attention where it is installed and can run, else PyTorch's own."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "ModelSection":
        if (self.base is None) == (self.tiny is None):
            raise ValueError("exactly one of base (a model folder or hub name) and tiny must be given")
        return self
