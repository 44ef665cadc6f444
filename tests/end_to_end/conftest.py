"""One working folder for all tests here, as a user has it, with the quickstart run in it once."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browsing import SHOWN_WITHIN_MS, running_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
OUTSIDE = ("PREFECT_", "MLFLOW_", "HF_", "OMP_", "XDG_", "MPL", "PYTHONPATH", "NLTK_")


@dataclass(frozen=True)
class Workspace:
    """A working folder, and the home folder of a user who never ran anything."""

    folder: Path
    home: Path
    port: int
    """Of the Prefect server that `video-guard up` starts."""
    mlflow_port: int

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def state(self) -> Path:
        return self.folder / ".video-guard"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process without what steers the program's libraries."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OUTSIDE)}
        return {**kept, "HOME": str(self.home)}

    def call(self, program: str, *arguments: str, timeout_s: float = 600.0) -> "subprocess.CompletedProcess[str]":
        """Run an installed program in the working folder; when it takes too long, it is ended with all it started."""
        with self.start(program, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            stdout, stderr = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    @contextmanager
    def start(self, program: str, *arguments: str, **streams: Any) -> "Iterator[subprocess.Popen[str]]":
        """An installed program, running in the working folder; with the block, it ends with all it started."""
        process = subprocess.Popen(
            [str(BIN / program), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **streams,
        )
        try:
            yield process
        finally:
            _end(process)

    def processes(self) -> dict[int, str]:
        """Command lines of all processes that run in the working folder."""
        found = {}
        for process in Path("/proc").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if process.name.isdigit() and (process / "cwd").readlink() == self.folder:
                    found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        return found

    def artifacts(self) -> dict[str, int]:
        """When each file of an artifact was last written, nanoseconds, by name."""
        store = self.state / "artifacts"
        files = (path for path in store.glob("[!.]*/[!.]*/**/*") if path.is_file())
        return {path.relative_to(store).as_posix(): path.stat().st_mtime_ns for path in files}

    def ask(self, path: str, **question: object) -> Any:
        """What the Prefect server answers."""
        request = urllib.request.Request(
            f"{self.api}/{path}", json.dumps(question).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def last_states(self) -> dict[str, list[str]]:
        """States of the task runs of the last flow run, by task."""
        (flow_run,) = self.ask("flow_runs/filter", sort="START_TIME_DESC", limit=1)
        runs = self.ask("task_runs/filter", task_runs={"flow_run_id": {"any_": [flow_run["id"]]}})
        states: dict[str, list[str]] = {}
        for run in runs:
            # One that the server has only begun to record has none.
            state = run["state"]["name"] if run["state"] else "unknown"
            states.setdefault(run["name"].rpartition("-")[0], []).append(state)
        return {name: sorted(names) for name, names in states.items()}


def _end(process: "subprocess.Popen[str]", patience_s: float = 20.0) -> None:
    """End a process politely, then it and all of its group for certain."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Workspace:
    """What a checkout holds for a user, with nothing run yet; WordNet is there as `make setup` leaves it."""
    folder: Path = tmp_path_factory.mktemp("workspace")
    for name in ("configs", "flows"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copy(CHECKOUT / name, folder)
    wordnet = CHECKOUT / ".video-guard/wordnet"
    if wordnet.is_dir():
        shutil.copytree(wordnet, folder / ".video-guard/wordnet")
    return Workspace(folder, tmp_path_factory.mktemp("home"), _free_port(), _free_port())


@dataclass(frozen=True)
class QuickstartRun:
    """What the quickstart printed, and came to."""

    stdout: str
    stderr: str
    status: int

    @property
    def summary(self) -> dict[str, Any]:
        """The summary that stands alone on standard output."""
        summary: dict[str, Any] = json.loads(self.stdout)
        return summary


@pytest.fixture(scope="session")
def quickstart(workspace) -> QuickstartRun:
    """The real quickstart, from nothing, with the temporary Prefect server that the command starts."""
    ended = workspace.call("video-guard", "run", "configs/quickstart.yaml", "--json", timeout_s=1800.0)
    assert ended.returncode == 0, ended.stderr
    return QuickstartRun(ended.stdout, ended.stderr, ended.returncode)


@pytest.fixture(scope="session")
def server(workspace, quickstart) -> Iterator[Workspace]:
    """The working folder with all that `video-guard up` starts: both servers, the worker and the deployments."""
    ports = ("--prefect-port", str(workspace.port), "--mlflow-port", str(workspace.mlflow_port))
    begun = workspace.call("video-guard", "up", "--detach", *ports)
    try:
        assert begun.returncode == 0, begun.stdout + begun.stderr
        yield workspace
    finally:
        ended = workspace.call("video-guard", "down")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert workspace.processes() == {}


@pytest.fixture(scope="module")
def page() -> "Iterator[Page]":
    """A page of a browser without a window."""
    with running_chromium() as browser:
        page = browser.new_page(viewport={"width": 1700, "height": 1100}, accept_downloads=True)
        page.set_default_timeout(SHOWN_WITHIN_MS)
        yield page


@pytest.fixture
def shown(page, request) -> "Iterator[Page]":
    """The page; a picture of how the test left it goes to the folder that VIDEO_GUARD_SCREENSHOTS names."""
    yield page
    if folder := os.environ.get("VIDEO_GUARD_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{request.node.name}.png")
