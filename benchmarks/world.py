"""One denoising step of a Cosmos Predict2 transformer of random weights at 480p: time and memory.

    python benchmarks/world.py                     # the 2B shape in bfloat16 on a GPU
    python benchmarks/world.py --tiny              # a tiny shape on the CPU, to see that it runs
    python benchmarks/world.py --adapter-rank 16   # with a LoRA adapter on all attention and feed-forward layers

It prints a table, and with --json the figures. There is no baseline and no goal: the figure tells what a machine must have.
No weights are read: the transformer is built from the published configuration. The VAE and the text encoder (T5, 11 billion
parameters) come on top, unless they are offloaded.
"""

import argparse
import json
import statistics
import time

import torch
from diffusers import CosmosTransformer3DModel
from peft import LoraConfig

from videoguard.config.world import SIZES
from videoguard.world.architecture import PUBLISHED
from videoguard.world.pipeline import MODEL_FPS

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"]
TINY = {"num_attention_heads": 2, "attention_head_dim": 32, "num_layers": 2, "text_embed_dim": 32, "adaln_lora_dim": 16}


def main() -> None:
    asked = _arguments()
    device = "cuda" if torch.cuda.is_available() and not asked.tiny else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    settings = {**PUBLISHED[asked.size], **(TINY if asked.tiny else {})}
    width, height = (96, 64) if asked.tiny else SIZES[asked.resolution]
    frames = 9 if asked.tiny else asked.frames
    torch.manual_seed(0)
    with torch.device(device):
        transformer = CosmosTransformer3DModel.from_config(settings).to(dtype).eval()
    if asked.adapter_rank:
        transformer.add_adapter(LoraConfig(r=asked.adapter_rank, lora_alpha=asked.adapter_rank, target_modules=TARGETS))
    inputs = _inputs(settings, width, height, frames, device, dtype)
    seconds = [_time(transformer, inputs, device) for _ in range(asked.repeats + 1)][1:]
    found = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "parameters": sum(parameter.numel() for parameter in transformer.parameters()),
        "adapter_rank": asked.adapter_rank,
        "pixels": [width, height],
        "frames": frames,
        "dtype": str(dtype).removeprefix("torch."),
        "seconds_per_pass": statistics.median(seconds),
        "seconds_per_step_with_guidance": 2 * statistics.median(seconds),
        "peak_gpu_bytes": torch.cuda.max_memory_allocated() if device == "cuda" else None,
    }
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<32} {value if value is not None else '(no GPU)'}")


def _inputs(
    settings: dict[str, object], width: int, height: int, frames: int, device: str, dtype: torch.dtype
) -> dict[str, object]:
    latent_frames = (frames - 1) // 4 + 1
    shape = (1, int(str(settings["out_channels"])), latent_frames, height // 8, width // 8)
    condition = torch.zeros(1, 1, *shape[2:], device=device, dtype=dtype)
    condition[:, :, 0] = 1
    return {
        "hidden_states": torch.randn(shape, device=device, dtype=dtype),
        "timestep": torch.full((1, 1, latent_frames, 1, 1), 0.5, device=device, dtype=dtype),
        "encoder_hidden_states": torch.randn(1, 512, int(str(settings["text_embed_dim"])), device=device, dtype=dtype),
        "fps": MODEL_FPS,
        "condition_mask": condition,
        "padding_mask": torch.zeros(1, 1, height, width, device=device, dtype=dtype),
        "return_dict": False,
    }


@torch.inference_mode()
def _time(transformer: torch.nn.Module, inputs: dict[str, object], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    transformer(**inputs)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(PUBLISHED), default="2B")
    parser.add_argument("--resolution", choices=sorted(SIZES), default="480p")
    parser.add_argument("--frames", type=int, default=93)
    parser.add_argument("--adapter-rank", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a tiny shape on the CPU")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
