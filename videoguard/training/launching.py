"""Starting the processes of a training: this one alone, or a group of them by torchrun or DeepSpeed.

The request goes to the group by a file; events and the reply come back on the launcher's output. The processes of a group
end with this one: it holds the lock of a file that they wait for, which the operating system frees however it dies. What is
killed here takes no step more, and the next attempt goes on from the last whole checkpoint.
"""

import fcntl
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videoguard.config import TrainingSection
from videoguard.errors import UserError
from videoguard.subprocesses import Emit, call_group
from videoguard.training.memory import train_within_memory
from videoguard.training.request import TrainingReply, TrainingRequest

_RANK = "videoguard.training.rank"
_REQUEST, _LOCK = "request.json", "lock"


def launch(request: TrainingRequest, emit: Emit) -> TrainingReply:
    """Train with as many processes as the request wants, with a smaller batch where its own does not fit.

    Raises:
        UserError: the training is refused, or its launcher cannot be used here.
        ProcessFailedError: a process of the group crashed or was killed; the others have ended too.
    """
    check_launch(request.training)
    if request.training.launcher == "python":
        from videoguard.training.train import train

        return train_within_memory(request, emit, train)
    return train_within_memory(request, emit, _train_in_group)


def check_launch(training: TrainingSection) -> None:
    """Refuse a launcher that cannot start; reads the files that it names and no more.

    Raises:
        UserError: DeepSpeed's settings or the hostfile are missing or cannot be read, or DeepSpeed is not installed.
    """
    if training.deepspeed is not None:
        read_deepspeed_settings(training.deepspeed)
        _require_deepspeed(training)
    if training.hostfile is not None:
        read_hosts(training.hostfile)


def read_deepspeed_settings(path: Path) -> dict[str, object]:
    """DeepSpeed's settings from their JSON file.

    Raises:
        UserError: there is no such file, or it holds no JSON object.
    """
    if not path.is_file():
        raise UserError(f"training.deepspeed is {path}: no such file; configs/deepspeed/ holds some")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise UserError(f"training.deepspeed is {path}: it is no JSON ({fault})") from None
    if not isinstance(settings, dict):
        raise UserError(f"training.deepspeed is {path}: it must hold a JSON object, as configs/deepspeed/zero2.json does")
    return settings


def read_hosts(path: Path) -> dict[str, int]:
    """Processes that each machine of a hostfile has room for, in the order of the file.

    Raises:
        UserError: there is no such file, it names no machine, or a line is not `name slots=GPUs`.
    """
    if not path.is_file():
        raise UserError(f"training.hostfile is {path}: no such file")
    hosts: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        slots = words[1].removeprefix("slots=") if len(words) == 2 else ""
        if not slots.isdecimal() or words[0] in hosts:
            raise UserError(
                f"training.hostfile is {path}: line {number} is {line!r}: it must read `name slots=GPUs`, once a name"
            )
        hosts[words[0]] = int(slots)
    if not hosts:
        raise UserError(f"training.hostfile is {path}: it names no machine")
    return hosts


def count_processes(training: TrainingSection) -> int:
    """Processes of the training on all machines."""
    machines = 1 if training.hostfile is None else len(read_hosts(training.hostfile))
    return training.processes * machines


def group_command(training: TrainingSection, folder: Path) -> list[str]:
    """Command that starts the processes of a training; each runs `python -m videoguard.training.rank`.

    Args:
        training: how they are started.
        folder: holds the request and the lock; seen under the same name by every machine.
    """
    rank = [_RANK, str(folder / _REQUEST), str(folder / _LOCK)]
    if training.launcher == "torchrun":
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        return [*torchrun, f"--nproc-per-node={training.processes}", "--module", *rank]
    command = [sys.executable, "-m", "deepspeed.launcher.runner"]
    if training.hostfile is not None:
        command += ["--hostfile", str(training.hostfile.absolute())]
    return [*command, "--num_gpus", str(training.processes), "--no_local_rank", "--module", *rank]


def _train_in_group(request: TrainingRequest, emit: Emit) -> TrainingReply:
    training = request.training
    with _group_folder(request) as folder:
        command = group_command(training, folder)
        return call_group(
            command, f"training by {training.launcher}", TrainingReply, threads=training.threads, on_event=emit
        )


@contextmanager
def _group_folder(request: TrainingRequest) -> Iterator[Path]:
    """A folder with the request and a lock that this process holds within the block."""
    request.checkpoints.mkdir(parents=True, exist_ok=True)
    # Of this attempt alone: processes of one before may be about to take its lock and end.
    folder = Path(tempfile.mkdtemp(prefix="group-", dir=request.checkpoints.absolute()))
    (folder / _REQUEST).write_text(request.model_dump_json(), encoding="utf-8")
    try:
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder)


def _require_deepspeed(training: TrainingSection) -> None:
    from importlib.util import find_spec

    if find_spec("deepspeed") is None:
        raise UserError(
            f"training.deepspeed is {training.deepspeed}: DeepSpeed is not installed; install video-guard[deepspeed], or "
            "leave the setting out and take the launcher torchrun, which averages gradients by PyTorch"
        )
