"""Ctrl-C in the middle of the expensive steps: the run ends soon, says so by its status, and leaves nobody behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]


def descendants(pid: int) -> set[int]:
    """Processes that were started by `pid`, and by those."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found = {pid}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found - {pid}


def running(pids: set[int]) -> set[int]:
    states = {}
    for pid in pids:
        try:
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return {pid for pid, state in states.items() if state not in "ZX"}


def interrupt(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Press Ctrl-C, and again where the machine is too busy for an answer, as a user would; what the process wrote."""
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        try:
            return process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("five interrupts did not end the run")


def test_an_interrupted_run_ends_with_status_130_and_leaves_no_process(workspace, quickstart):
    # Another seed, so that a base model is made: the videos of another folder come first.
    overrides = ("seed=7", "data.manifest=data/seven/manifest.json", "data.synthetic.videos_per_form=1")
    arguments = [part for override in overrides for part in ("--set", override)]
    drafts = workspace.state / "artifacts/base-model"
    datasets = workspace.state / "artifacts/dataset"
    known = set(datasets.glob("[!.]*"))
    with workspace.start(
        "video-guard", "run", "configs/quickstart.yaml", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 400.0
        # The videos are made and decoded beside the pre-training, and end before it.
        while not list(drafts.glob(".*-*")) or set(datasets.glob("[!.]*")) == known:
            assert process.poll() is None, process.stderr
            assert time.monotonic() < deadline
            time.sleep(0.1)
        started = descendants(process.pid)
        assert len(started) >= 2
        stdout, stderr = interrupt(process)
        assert process.returncode == 130, stderr
        assert "Traceback" not in stdout + stderr
        deadline = time.monotonic() + 90.0
        while running(started) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert running(started) == set()
    assert list(drafts.glob(".*-*")) == []
