"""One process of a group that trains together: `python -m videoguard.training.rank REQUEST LOCK`."""

import os
import sys
from pathlib import Path

from videoguard.importing import importing
from videoguard.subprocesses import answer, end_with_holder, tell_crashes
from videoguard.training.request import TrainingRequest


def main(request_file: Path, lock: Path) -> None:
    """Train as the request says; the first process tells the caller, and all end with the holder of the lock."""
    end_with_holder(lock)
    tell_crashes()
    request = TrainingRequest.model_validate_json(request_file.read_bytes())
    # On another machine, what the caller has set is not there.
    os.environ.update(
        dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(request.training.threads))
    )
    if request.training.deepspeed is not None:
        _prepare_deepspeed_without_gpu()
    with importing():
        from videoguard.training.train import train

    answer(request, train, speaks=os.environ["RANK"] == "0")


def _prepare_deepspeed_without_gpu() -> None:
    """Let the processes of a CPU find each other by Gloo; by itself DeepSpeed compiles its own communication first.

    It must know them before the weights are loaded: its third stage spreads them then.
    """
    import torch

    if not torch.cuda.is_available():
        import deepspeed

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        deepspeed.init_distributed(dist_backend="gloo", verbose=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
