"""Clips and prompts as the transformer sees them, encoded once before the training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from videoguard.config.world import GenerationSection
from videoguard.frames.decoding import DecodeError
from videoguard.world.media import read_first_frames
from videoguard.world.pipeline import World
from videoguard.world.training.request import TrainingExample


@dataclass(frozen=True)
class Encoded:
    """A clip to learn from."""

    latents: torch.Tensor
    """`(channels, latent frames, latent height, latent width)`, normalized as the transformer has them."""
    prompt: torch.Tensor
    """`(tokens, width)` of the text encoder."""


def encode_examples(
    world: World, examples: Sequence[TrainingExample], how: GenerationSection
) -> tuple[list[Encoded], dict[Path, str]]:
    """The examples that can be read, and the reason of each that cannot."""
    encoded, left_out = [], {}
    width, height = how.pixels
    for example in examples:
        try:
            frames = read_first_frames(example.video, how.frame_count, width, height)
        except DecodeError as fault:
            left_out[example.video] = str(fault)
            continue
        pixels = torch.from_numpy(frames).permute(3, 0, 1, 2).float() / 127.5 - 1
        encoded.append(Encoded(_encode_video(world, pixels), _encode_prompt(world, example.prompt)))
    return encoded, left_out


@torch.no_grad()
def _encode_video(world: World, pixels: torch.Tensor) -> torch.Tensor:
    """The most likely latents, scaled as the pipeline scales those of a condition."""
    vae = world.pipeline.vae
    latents = vae.encode(pixels[None].to(vae.device, vae.dtype)).latent_dist.mode().float()
    shape = (1, vae.config.z_dim, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean, device=latents.device).view(shape)
    std = torch.tensor(vae.config.latents_std, device=latents.device).view(shape)
    normalized: torch.Tensor = ((latents - mean) / std)[0].cpu()
    return normalized


@torch.no_grad()
def _encode_prompt(world: World, prompt: str) -> torch.Tensor:
    embedded: torch.Tensor = world.pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)[0]
    return embedded[0].float().cpu()
