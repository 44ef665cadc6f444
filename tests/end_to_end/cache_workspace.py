"""A working folder with a small recipe, a running Prefect server, and witnesses that count what the processes really do."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("video-guard")

RECIPE = """
name: small
data: {manifest: data/manifest.json, synthetic: {videos_per_form: 2, size: 64, seconds: 1.0}}
frames: {count: 4, max_side: 64, shards: 4}
dataset: {validation: 0.1, test: 0.25}
model: {tiny: {pretraining_steps: 24, pretraining_videos_per_form: 1}}
training: {epochs: 3, batch_size: 8, learning_rate: 2e-3, evaluations: 3, lora: {r: 4, alpha: 8}}
inference: {batch_size: 4, max_new_tokens: 12}
"""

# Imported by every Python process of the run: notes each video that PyAV opens to read, each batch that is generated, and
# each step that is trained.
WITNESS = """
import importlib.abc, importlib.machinery, os, sys

def note(line):
    with open(os.environ["WITNESS"], "a") as log:
        log.write(line + "\\n")

def watch_av(module):
    opened = module.open
    def watched(path, mode="r", *arguments, **options):
        if mode == "r":
            note(f"decode {os.path.basename(str(path))}")
        return opened(path, mode, *arguments, **options)
    module.open = watched

def watch_engine(module):
    read = module.Engine.read
    def counted(self, prompts):
        note(f"generate {len(prompts)}")
        return read(self, prompts)
    module.Engine.read = counted

def watch_trainer(module):
    step = module.Trainer.training_step
    def counted(self, *arguments, **options):
        note("train")
        return step(self, *arguments, **options)
    module.Trainer.training_step = counted

WATCHED = {"av": watch_av, "videoguard.inference.engine": watch_engine, "transformers.trainer": watch_trainer}

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in WATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            WATCHED[name](module)
        spec.loader.exec_module = exec_module
        return spec

if "WITNESS" in os.environ:
    sys.meta_path.insert(0, Finder())
"""


@dataclass(frozen=True)
class Work:
    """What the processes of one run really did."""

    decoded: Counter[str]
    """How often each file was opened by the decoder."""
    generated: int
    """Answers."""
    trained: int
    """Steps, pre-training and training together."""


@dataclass
class Outcome:
    """One run of the command."""

    status: int
    summary: dict[str, object]
    log: str
    seconds: float
    work: Work

    @property
    def decoded(self) -> list[str]:
        return sorted(self.work.decoded.elements())

    @property
    def generated(self) -> int:
        return self.work.generated

    def computed(self) -> set[str]:
        """Steps of which anything was made."""
        return {str(step["step"]) for step in self.steps() if step["computed"]}

    def steps(self) -> list[dict[str, object]]:
        steps = self.summary["steps"]
        assert isinstance(steps, list)
        return steps

    def count(self, step: str) -> tuple[object, object]:
        """Computed and reused artifacts of a step."""
        return next((line["computed"], line["reused"]) for line in self.steps() if line["step"] == step)


class Workspace:
    """A folder to run `video-guard` in."""

    def __init__(self, folder: Path, api: str | None, source: Path = ROOT) -> None:
        self.folder = folder
        self.api = api
        self.source = source
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.yaml").write_text(RECIPE)
        (folder / "witness").mkdir(exist_ok=True)
        (folder / "witness" / "sitecustomize.py").write_text(WITNESS)

    @property
    def store(self) -> Path:
        return self.folder / ".video-guard" / "artifacts"

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        self.started = time.monotonic()
        witness = self.folder / "witness.log"
        witness.write_text("")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.folder / "witness"), str(self.source)]),
            "WITNESS": str(witness),
            "OMP_NUM_THREADS": "1",
        }
        if self.api is not None:
            environment["PREFECT_API_URL"] = self.api
        return subprocess.Popen(
            [str(PROGRAM), "run", "recipe.yaml", "--json", *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Outcome:
        out, log = process.communicate(timeout=1200)
        return Outcome(
            status=process.returncode,
            summary=json.loads(out) if out.strip() else {},
            log=log,
            seconds=time.monotonic() - self.started,
            work=self.work(),
        )

    def work(self) -> Work:
        """What the run that was started last did so far."""
        lines = (self.folder / "witness.log").read_text().splitlines()
        return Work(
            decoded=Counter(line.split(" ", 1)[1] for line in lines if line.startswith("decode")),
            generated=sum(int(line.split()[1]) for line in lines if line.startswith("generate")),
            trained=lines.count("train"),
        )

    def run(self, *arguments: str) -> Outcome:
        outcome = self.finish(self.start(*arguments))
        assert outcome.status == 0, outcome.log
        return outcome

    def artifacts(self, step: str) -> list[Path]:
        """Folders of the artifacts of a step, oldest first."""
        records = (self.store / step).glob("[!.]*/artifact.json")
        return [path.parent for path in sorted(records, key=lambda path: json.loads(path.read_text())["created"])]


def kill_group(process: "subprocess.Popen[str]") -> None:
    """End a process and all that it started at once, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def prefect_api(home: Path) -> Iterator[str]:
    """The address of a Prefect server that lasts as long as the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PREFECT_HOME": str(home), "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-m", "commands.prefect_server", str(port)], cwd=ROOT, env=environment, stdin=subprocess.PIPE
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/health", server)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, "the Prefect server ended at its start"
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")
