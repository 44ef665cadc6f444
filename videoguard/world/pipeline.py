"""The pipeline on a device, and one clip out of it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from videoguard.errors import UserError
from videoguard.subprocesses import MemoryExhaustedError
from videoguard.world.adapters.attaching import attach, use_adapters
from videoguard.world.architecture import require_diffusers
from videoguard.world.guardrail import NoGuardrail

if TYPE_CHECKING:
    from diffusers import Cosmos2VideoToWorldPipeline, CosmosTransformer3DModel

Frames = npt.NDArray[np.uint8]

MODEL_FPS = 24
"""Frame rate that the pipeline is told. It scales temporal positions by 24 / fps, which NVIDIA's own configuration does not
(https://github.com/huggingface/diffusers/issues/14768): with 24 the scale is 1. The real rate is that of the file alone."""


NO_ADAPTERS: Mapping[str, Path] = {}


@dataclass(frozen=True)
class Generated:
    """A clip."""

    frames: Frames
    """`(frames, height, width, 3) uint8 RGB`."""
    latents_sha256: str
    """Digest of the last latents as float32: equal for equal seeds, settings, weights and machine."""


class World:
    """A loaded pipeline with its adapters."""

    def __init__(self, pipeline: "Cosmos2VideoToWorldPipeline") -> None:
        self.pipeline = pipeline

    def generate(
        self,
        condition: Frames,
        prompt: str,
        *,
        weights: Mapping[str, float],
        frames: int,
        steps: int,
        guidance: float,
        seed: int,
        negative_prompt: str | None = None,
        on_step: Callable[[int], None] = lambda step: None,
    ) -> Generated:
        """A clip that goes on from `condition`, which it begins with.

        Args:
            condition: `(1 or 5, height, width, 3) uint8 RGB`, in the size of the clip.
            prompt: what happens.
            weights: how strongly each adapter works; without any, the base alone.
            frames: of the clip with those of the condition.
            steps: of denoising.
            guidance: how strongly the prompt is followed.
            seed: of the noise, drawn on the CPU so that it does not depend on the device.
            negative_prompt: what is avoided; the library's default when None.
            on_step: called with the number of steps done.

        Raises:
            MemoryExhaustedError: the GPU has too little memory.
        """
        import torch
        from PIL import Image

        use_adapters(self.pipeline.transformer, weights)
        last: dict[str, str] = {}

        def note(pipeline: object, step: int, timestep: object, values: dict[str, Any]) -> dict[str, Any]:
            on_step(step + 1)
            if step + 1 == steps:
                latents = values["latents"].detach().float().cpu().contiguous()
                last["sha256"] = hashlib.sha256(latents.numpy().tobytes()).hexdigest()
            return {}

        _, height, width, _ = condition.shape
        try:
            made = self.pipeline(
                video=[Image.fromarray(frame) for frame in condition],
                prompt=prompt,
                negative_prompt=negative_prompt,
                height=height,
                width=width,
                num_frames=frames,
                num_inference_steps=steps,
                guidance_scale=guidance,
                fps=MODEL_FPS,
                generator=torch.Generator().manual_seed(seed),
                output_type="np",
                callback_on_step_end=note,
            )
        except torch.cuda.OutOfMemoryError as fault:
            torch.cuda.empty_cache()
            raise MemoryExhaustedError(
                "the GPU has too little memory: take fewer frames, 480p, quantization or offload"
            ) from fault
        pixels = np.rint(np.clip(np.asarray(made.frames[0]), 0, 1) * 255).astype(np.uint8)
        return Generated(pixels, last["sha256"])


def load_world(
    base: Path,
    *,
    adapters: Mapping[str, Path] = NO_ADAPTERS,
    dtype: str = "float32",
    quantization: str = "none",
    offload: str = "none",
    device: str = "cpu",
) -> World:
    """The pipeline of a base folder, on a device, with adapters that are attached and switched off.

    Args:
        base: folder.
        adapters: folders that `convert_adapter` wrote, by name.
        dtype: number format of the weights.
        quantization: of the transformer.
        offload: what stays on the GPU.
        device: such as `cuda:1`.

    Raises:
        UserError: quantization or offload cannot be had here.
    """
    require_diffusers()
    import torch
    from diffusers import Cosmos2VideoToWorldPipeline
    from diffusers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if offload != "none" and device == "cpu":
        raise UserError(f"model.offload is {offload}: it moves parts off a GPU, and there is none here: take none")
    parts: dict[str, Any] = {}
    if quantization != "none":
        parts["transformer"] = _load_quantized(base, dtype, quantization, device)
    pipeline = Cosmos2VideoToWorldPipeline.from_pretrained(
        str(base), dtype=getattr(torch, dtype), safety_checker=NoGuardrail(), local_files_only=True, **parts
    )
    pipeline.set_progress_bar_config(disable=True)
    # Before parts are moved about by hooks, which the library does not expect on adapters.
    for name, folder in adapters.items():
        attach(pipeline.transformer, name, folder)
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
    return World(pipeline)


def count_gpus() -> int:
    """GPUs that PyTorch sees."""
    import torch

    return torch.cuda.device_count()


def _load_quantized(base: Path, dtype: str, quantization: str, device: str) -> "CosmosTransformer3DModel":
    import torch
    from diffusers import BitsAndBytesConfig, CosmosTransformer3DModel

    if device == "cpu":
        raise UserError(
            f"model.quantization is {quantization}: diffusers quantizes on a GPU alone, and there is none here: take none"
        )
    if find_spec("bitsandbytes") is None:
        raise UserError(
            f"model.quantization is {quantization}: it needs bitsandbytes: install video-guard[qlora], or take none"
        )
    number_format = getattr(torch, dtype)
    how = (
        BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=number_format)
        if quantization == "4bit"
        else BitsAndBytesConfig(load_in_8bit=True)
    )
    return CosmosTransformer3DModel.from_pretrained(
        str(base), subfolder="transformer", quantization_config=how, dtype=number_format, device_map={"": device}
    )
