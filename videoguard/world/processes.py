"""How many processes generate: one a GPU, told without loading PyTorch."""

import os
import shutil
import subprocess

from videoguard.config.world import GenerationSection


def count_processes(generation: GenerationSection, items: int) -> int:
    """Processes that share the items; no more than there are items."""
    return max(1, min(generation.processes or _visible_gpus(), items))


def _visible_gpus() -> int:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return len([gpu for gpu in named.split(",") if gpu.strip()])
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, check=False)  # noqa: S603  found above
    return len(listed.stdout.splitlines()) if listed.returncode == 0 else 0
