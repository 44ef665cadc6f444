"""Groups of processes: the commands that start them, and two that really train together."""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.kills import KilledError, kill_at
from videoguard.config import TrainingSection
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.models.checkpoints import Layout, checkpoint_at, newest_whole_checkpoint
from videoguard.subprocesses import ProcessFailedError, call
from videoguard.training.launching import check_launch, count_processes, group_command, read_hosts
from videoguard.training.request import Scoring, TrainingReply, TrainingRequest

CONFIGS = Path(__file__).parents[2] / "configs/deepspeed"
ADAPTER = "adapter/adapter_model.safetensors"
ZERO2 = {"launcher": "torchrun", "processes": 2, "batch_size": 5, "deepspeed": CONFIGS / "zero2.json"}
# Of all trainings here: 28 examples in steps of 10, 12 steps, a checkpoint every 4.
STEPS, INTERVAL = 12, 4


def run(request: TrainingRequest, on_event=None) -> TrainingReply:
    return call("videoguard.training", request, TrainingReply, threads=1, timeout_s=300.0, on_event=on_event)


def wait_until_ended(folder: Path, patience_s: float = 10.0) -> None:
    """Wait until no process runs that was started with a path below the folder; each took the request from there."""
    deadline = time.monotonic() + patience_s
    while any(str(folder).encode() in command for command in commands()):
        assert time.monotonic() < deadline, f"processes of {folder} outlive the one that started them"
        time.sleep(0.05)


def commands() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield (process / "cmdline").read_bytes()


def chosen_by_score(training_request, folder: Path) -> TrainingRequest:
    """A training by two processes under ZeRO-2, whose best checkpoint is chosen by the answers that both give."""
    scoring = Scoring(
        metric="rouge_l", samples=5, batch_size=2, max_new_tokens=8, sentence_model="none", state=folder / "state"
    )
    settings = {**ZERO2, "keep_last": 3, "metric": "rouge_l"}
    request: TrainingRequest = training_request(folder, settings=settings, scoring=scoring)
    return request


@pytest.fixture(scope="module")
def undisturbed(training_request, tmp_path_factory):
    """Folder and reply of a training by two processes under ZeRO-2."""
    folder = tmp_path_factory.mktemp("group")
    return folder, run(chosen_by_score(training_request, folder))


@pytest.mark.slow
def test_two_processes_train_together(undisturbed, trained):
    folder, reply = undisturbed
    assert (reply.processes, reply.engine, reply.steps) == (2, "DeepSpeedEngine", STEPS)
    logs = ([*map(json.loads, (place / "log.jsonl").open())] for place in (folder, trained.folder))
    together, alone = ([point for point in log if "train_loss" in point] for log in logs)
    assert [point["step"] for point in together] == [point["step"] for point in alone]
    # Two batches of 5 are one of 10: whole steps are those of one process, but for the order in which numbers are added.
    for ours, theirs in zip(together[:2], alone[:2], strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)
        assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-3)
    weights = [load_file(place / ADAPTER) for place in (folder, trained.folder)]
    assert weights[0].keys() == weights[1].keys()


@pytest.mark.slow
def test_a_killed_group_goes_on_and_changes_no_byte(undisturbed, training_request, tmp_path):
    folder, whole = undisturbed
    request = chosen_by_score(training_request, tmp_path)
    with pytest.raises(KilledError):
        run(request, kill_at(6))
    wait_until_ended(tmp_path)
    reply = run(request)
    assert reply.resumed_from == INTERVAL
    assert digest_file(tmp_path / ADAPTER) == digest_file(folder / ADAPTER)
    assert (tmp_path / "log.jsonl").read_text() == (folder / "log.jsonl").read_text()
    assert (reply.best_step, reply.best_score) == (whole.best_step, whole.best_score)
    assert whole.best_score is not None
    assert reply.train_loss == whole.train_loss


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_is_none_for_one(undisturbed):
    checkpoints = undisturbed[0] / "checkpoints"
    together = Layout(processes=2, deepspeed=True)
    assert newest_whole_checkpoint(checkpoints, together) == checkpoint_at(checkpoints, STEPS)
    assert newest_whole_checkpoint(checkpoints) is None
    assert newest_whole_checkpoint(checkpoints, Layout(processes=2)) is None
    assert newest_whole_checkpoint(checkpoints, Layout(processes=3, deepspeed=True)) is None


@pytest.mark.slow
def test_a_checkpoint_lacking_the_part_of_one_process_does_not_count(undisturbed, tmp_path):
    checkpoints = shutil.copytree(undisturbed[0] / "checkpoints", tmp_path / "checkpoints")
    last = checkpoint_at(checkpoints, STEPS)
    parts = sorted(path.name for path in last.glob(f"global_step{STEPS}/*optim_states.pt"))
    assert len(parts) == 2
    (last / f"global_step{STEPS}" / parts[1]).unlink()
    found = newest_whole_checkpoint(checkpoints, Layout(processes=2, deepspeed=True))
    assert found == checkpoint_at(checkpoints, STEPS - INTERVAL)


@pytest.mark.slow
def test_a_refusal_of_a_process_is_that_of_the_group(training_request, tmp_path):
    settings = {"launcher": "torchrun", "processes": 2, "max_tokens": 30}
    with pytest.raises(UserError, match=r"training\.max_tokens is 30"):
        run(training_request(tmp_path, settings=settings))


def test_torchrun_is_asked_for_processes_on_this_machine():
    command = group_command(TrainingSection(launcher="torchrun", processes=4), Path("/group"))
    assert command == [
        *[sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4"],
        *["--module", "videoguard.training.rank", "/group/request.json", "/group/lock"],
    ]


def test_deepspeed_is_asked_for_the_machines_of_a_hostfile_and_told_no_secret(tmp_path, monkeypatch):
    for name in tuple(os.environ):
        if name.startswith("MLFLOW_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    hostfile = tmp_path / "hosts"
    hostfile.write_text("# two machines\nalpha slots=8\nbeta slots=8  # the new one\n\n")
    training = TrainingSection(launcher="deepspeed", processes=8, deepspeed=CONFIGS / "zero3.json", hostfile=hostfile)
    assert group_command(training, Path("/group")) == [
        *["env", "--unset=MLFLOW_TRACKING_PASSWORD"],
        *[sys.executable, "-m", "deepspeed.launcher.runner", "--hostfile", str(hostfile), "--launcher_args=-N"],
        *["--num_gpus", "8", "--no_local_rank", "--module"],
        *["videoguard.training.rank", "/group/request.json", "/group/lock"],
    ]
    assert read_hosts(hostfile) == {"alpha": 8, "beta": 8}
    assert count_processes(training) == 16


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpha", "line 1 is 'alpha': it must read `name slots=GPUs`"),
        ("alpha slots=two", "line 1 is"),
        ("alpha slots=2\nalpha slots=2", "line 2 is"),
        ("-oProxyCommand=true slots=2", "line 1 is"),
        ("# nobody\n", "it names no machine"),
    ],
)
def test_a_hostfile_that_cannot_be_read_is_refused(text, said, tmp_path):
    (tmp_path / "hosts").write_text(text)
    with pytest.raises(UserError, match=said):
        read_hosts(tmp_path / "hosts")


# `pdsh` starts the command for each host, numbered in the place of %n, and names the host before each line unless told -N.
STAND_INS = {
    "ssh": """
import subprocess, sys
host, command = next((word, sys.argv[number + 1:]) for number, word in enumerate(sys.argv)
                     if word in ("alpha", "beta", "gamma", "delta"))
if host == "gamma":
    sys.stderr.write("gamma: no route")
    sys.exit(255)
if host == "delta":
    sys.exit(1)
sys.exit(0 if command[0].startswith("test ") else subprocess.call(["echo", "127.0.0.1"]))
""",
    "pdsh": """
import subprocess, sys, threading
words = sys.argv[1:]
hosts = words[words.index("-w") + 1].split(",")
quiet, first = "-N" in words, next(number for number, word in enumerate(words) if word.startswith("export "))
command = " ".join(words[first:])
started = [(host, subprocess.Popen(["sh", "-c", command.replace("%n", str(number))], stdout=subprocess.PIPE, text=True))
           for number, host in enumerate(hosts)]
def pass_on(host, process):
    for line in process.stdout:
        sys.stdout.write(line if quiet else f"{host}: {line}")
        sys.stdout.flush()
threads = [threading.Thread(target=pass_on, args=each) for each in started]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
sys.exit(max(process.wait() for _, process in started))
""",
}


@pytest.fixture
def two_machines(tmp_path, monkeypatch) -> Path:
    """A hostfile of two machines, which this one stands for: ssh and pdsh start what they are given here."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in STAND_INS.items():
        (programs / name).write_text(f"#!{sys.executable}{text}")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    hostfile: Path = tmp_path / "hosts"
    hostfile.write_text("alpha slots=1\nbeta slots=1\n")
    return hostfile


@pytest.mark.slow
def test_two_machines_of_a_hostfile_train_together(training_request, two_machines, tmp_path):
    settings = {**ZERO2, "launcher": "deepspeed", "processes": 1, "hostfile": two_machines}
    events: list[dict[str, object]] = []
    reply = run(training_request(tmp_path, settings=settings), events.append)
    assert (reply.processes, reply.engine, reply.steps) == (2, "DeepSpeedEngine", STEPS)
    assert [event["step"] for event in events if event["metrics"]][-1] == STEPS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alpha slots=1\nbeta slots=2", "alpha has slots=1, and training.processes is 2: it must not be more"),
        ("alpha slots=2", "it names one machine, and DeepSpeed would then train on this one"),
        ("alpha slots=2\ngamma slots=2", r"gamma is not reached \(gamma: no route\): `ssh gamma true` must work"),
        ("alpha slots=2\ndelta slots=2", "delta does not see .*: checkout and .venv must have the same path there"),
    ],
)
def test_machines_that_cannot_take_part_are_refused_before_work(text, said, two_machines):
    two_machines.write_text(text)
    training = TrainingSection(launcher="deepspeed", processes=2, deepspeed=CONFIGS / "zero2.json", hostfile=two_machines)
    with pytest.raises(UserError, match=said):
        check_launch(training)


def test_a_hostfile_needs_the_programs_that_start_its_machines(two_machines, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    training = TrainingSection(launcher="deepspeed", deepspeed=CONFIGS / "zero2.json", hostfile=two_machines)
    with pytest.raises(UserError, match="DeepSpeed starts the machines by ssh, which is not installed here"):
        check_launch(training)


@pytest.mark.parametrize(
    ("text", "said"), [(None, "no such file"), ("{", "it is no JSON"), ("[]", "it must hold a JSON object")]
)
def test_settings_of_deepspeed_that_cannot_be_read_are_refused(text, said, tmp_path):
    file = tmp_path / "zero.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=said):
        check_launch(TrainingSection(launcher="torchrun", processes=2, deepspeed=file))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"processes": 2}, "launcher python starts one plain process"),
        ({"deepspeed": "zero2.json"}, "launcher python starts one plain process"),
        ({"launcher": "deepspeed", "processes": 2}, "launcher deepspeed needs the file deepspeed"),
        ({"launcher": "torchrun", "hostfile": "hosts"}, "hostfile needs launcher deepspeed"),
    ],
)
def test_launchers_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        TrainingSection.model_validate(settings)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.json")), ids=lambda file: file.name)
def test_the_shipped_settings_of_deepspeed_leave_sizes_to_the_recipe(file):
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    config = HfTrainerDeepSpeedConfig(str(file))
    for name in ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size", "gradient_clipping"):
        assert config.is_auto(name)
    assert str(config.get_value("zero_optimization.stage")) == file.stem.removeprefix("zero")[0]


def test_one_process_where_two_were_asked_for_is_no_training(training_request, tmp_path):
    """What a launcher does that fails silently."""
    from videoguard.training.train import train
    from videoguard.training.trainer import LaunchError

    request = training_request(tmp_path, settings={"launcher": "torchrun", "processes": 2})
    assert "WORLD_SIZE" not in os.environ
    with pytest.raises(LaunchError, match="2 processes were to train together, and this one sees 1"):
        train(request, lambda event: None)


@pytest.mark.slow
def test_a_crash_of_a_process_says_why(training_request, tmp_path):
    request = training_request(tmp_path, settings={"launcher": "torchrun", "processes": 2}, dataset=tmp_path / "none")
    with pytest.raises(ProcessFailedError, match="FileNotFoundError"):
        run(request)
