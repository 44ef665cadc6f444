"""A tiny pipeline of random weights, built from configurations: it shows that the machinery works; its clips are noise."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from videoguard.config.world import TinyWorld
from videoguard.world.architecture import PUBLISHED, require_diffusers

_HEAD_WIDTH = 32


class BuildRequest(BaseModel):
    """A tiny pipeline to build in a process of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: TinyWorld
    seed: int
    output: Path


class BuildReply(BaseModel):
    """It was built."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def build_tiny_world(size: TinyWorld, seed: int, folder: Path) -> None:
    """Write a pipeline of the published kind and of a tiny size, which loads from the folder as a real one does.

    The same size and seed give the same bytes.
    """
    require_diffusers()
    import torch
    from diffusers import (
        AutoencoderKLWan,
        Cosmos2VideoToWorldPipeline,
        CosmosTransformer3DModel,
        FlowMatchEulerDiscreteScheduler,
    )
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

    from videoguard.world.guardrail import NoGuardrail

    torch.manual_seed(seed)
    published = {
        **PUBLISHED["2B"],
        "num_attention_heads": size.heads,
        "attention_head_dim": _HEAD_WIDTH,
        "num_layers": size.layers,
        "text_embed_dim": size.text_width,
        "adaln_lora_dim": 16,
    }
    pipeline = Cosmos2VideoToWorldPipeline(
        transformer=CosmosTransformer3DModel.from_config(published),
        vae=AutoencoderKLWan(
            base_dim=size.vae_width,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ),
        text_encoder=T5EncoderModel(
            T5Config(vocab_size=384, d_model=size.text_width, d_kv=8, d_ff=2 * size.text_width, num_layers=1, num_heads=4)
        ),
        tokenizer=ByT5Tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True),
        safety_checker=NoGuardrail(),
    )
    # A guardrail is chosen when the pipeline is loaded, and no part of its files.
    pipeline.register_modules(safety_checker=None)
    pipeline.save_pretrained(str(folder))
