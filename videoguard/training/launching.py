"""Starting the processes of a training: this one alone, or a group of them by torchrun or DeepSpeed.

The request goes to the group by a file; events and the reply come back on the launcher's output. The processes of a group
end with this one: it holds the lock of a file that they wait for, which the operating system frees however it dies. What is
killed here takes no step more, and the next attempt goes on from the last whole checkpoint.
"""

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from videoguard.config import TrainingSection
from videoguard.errors import UserError, refuse_all
from videoguard.importing import importing
from videoguard.subprocesses import Emit, call_group
from videoguard.training.memory import train_within_memory
from videoguard.training.request import TrainingReply, TrainingRequest

_RANK = "videoguard.training.rank"
_REQUEST, _LOCK = "request.json", "lock"
_UNREACHED = 255
"""Status of ssh where it does not get to the machine."""


def launch(request: TrainingRequest, emit: Emit) -> TrainingReply:
    """Train with as many processes as the request wants, with a smaller batch where its own does not fit.

    Raises:
        UserError: the training is refused, or its launcher cannot be used here.
        ProcessFailedError: a process of the group crashed or was killed; the others have ended too.
    """
    check_launch(request.training)
    if request.training.launcher == "python":
        with importing():
            from videoguard.training.train import train

        return train_within_memory(request, emit, train)
    return train_within_memory(request, emit, _train_in_group)


def check_launch(training: TrainingSection) -> None:
    """Refuse a launcher that cannot start; reads the files that it names, and looks at the machines of a hostfile.

    Raises:
        UserError: DeepSpeed's settings or the hostfile are missing or cannot be read, DeepSpeed or what starts the other
            machines is not installed, or naming each machine that is not reached or lacks what it needs.
    """
    if training.deepspeed is not None:
        read_deepspeed_settings(training.deepspeed)
        _require_deepspeed(training)
    if training.hostfile is not None:
        _check_hosts(training.hostfile, training.processes)


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
        if not slots.isdecimal() or words[0] in hosts or words[0].startswith("-"):
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
        # Without the name of its machine before each line, which would hide what the processes tell.
        command += ["--hostfile", str(training.hostfile.absolute()), "--launcher_args=-N"]
        # DeepSpeed writes these into the command line of each machine, where every user of it reads them.
        command = ["env", *(f"--unset={name}" for name in sorted(os.environ) if name.startswith("MLFLOW_")), *command]
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


def _check_hosts(path: Path, processes: int) -> None:
    """Refuse a hostfile whose machines cannot take their part of the training."""
    hosts, where = read_hosts(path), f"training.hostfile is {path}"
    refuse_all(
        where,
        (
            f"{name} has slots={slots}, and training.processes is {processes}: it must not be more than the slots"
            for name, slots in hosts.items()
            if slots < processes
        ),
    )
    if len(hosts) == 1:
        raise UserError(
            f"{where}: it names one machine, and DeepSpeed would then train on this one: name two or more, or leave it out"
        )
    for program in ("ssh", "pdsh"):
        if shutil.which(program) is None:
            raise UserError(f"{where}: DeepSpeed starts the machines by {program}, which is not installed here: install it")
    refuse_all(where, _faults_of(hosts))


def _faults_of(hosts: Iterable[str]) -> Iterator[str]:
    """What each machine lacks, asked of all at once."""
    needed = (Path(sys.executable), Path.cwd())
    question = f"test -x {shlex.quote(str(needed[0]))} && test -d {shlex.quote(str(needed[1]))}"

    def ask(host: str) -> "subprocess.CompletedProcess[str]":
        patience = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        command = ["ssh", *patience, host, question]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: S603  hosts of the user

    names = list(hosts)
    with ThreadPoolExecutor(len(names)) as pool:
        for host, ended in zip(names, pool.map(ask, names), strict=True):
            if ended.returncode == _UNREACHED:
                said = (ended.stderr.strip().splitlines() or ["ssh failed"])[-1]
                yield f"{host} is not reached ({said}): `ssh {host} true` must work without a password"
            elif ended.returncode != 0:
                yield f"{host} does not see {needed[0]} or {needed[1]}: checkout and .venv must have the same path there"


def _require_deepspeed(training: TrainingSection) -> None:
    from importlib.util import find_spec

    if find_spec("deepspeed") is None:
        raise UserError(
            f"training.deepspeed is {training.deepspeed}: DeepSpeed is not installed; install video-guard[deepspeed], or "
            "leave the setting out and take the launcher torchrun, which averages gradients by PyTorch"
        )
