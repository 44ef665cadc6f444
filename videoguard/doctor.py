"""Whether this machine has what Video-Guard needs, and how to mend what is missing."""

import importlib.metadata
import platform
import shutil
import socket
import sqlite3
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from videoguard.config import ExecutionSection
from videoguard.config.places import check_address
from videoguard.errors import UserError
from videoguard.evaluation.resources import MissingResourceError

_PACKAGES = ("torch", "transformers", "peft", "datasets", "evaluate", "av", "mlflow", "prefect")
_OLDEST_PYTHON, _FIRST_UNTRIED_PYTHON = (3, 11), (3, 13)
_GIB = 1 << 30
_WANTED_GIB, _NEEDED_GIB = 10, 1
_CONNECT_TIMEOUT_S = 1.0
_CLIP_FRAMES, _CLIP_SIDE = 12, 64


class Finding(BaseModel):
    """What one examination found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    status: Literal["ok", "warning", "missing"]
    """`warning`: something works less well; `missing`: something does not work at all."""
    found: str
    mend: str = ""
    """How to mend it; empty where nothing is to be mended."""


def examine(state: Path) -> list[Finding]:
    """Examine the machine: versions, GPU, video encoder and decoder, disk, ports, state folder, metric resources.

    Nothing is fetched, and nothing is left behind but the state folder itself.

    Args:
        state: state folder of the runs, made where it is absent.
    """
    return [
        _python(),
        _packages(),
        _gpu(),
        *_video(),
        _state_folder(state),
        _disk(state),
        _port("Prefect port", 4200, "/api/health", "video-guard up --prefect-port 4201"),
        _port("MLflow port", 5000, "/health", "video-guard up --mlflow-port 5001"),
        _wordnet(state, install=False),
        _sentence_model(download=False),
    ]


def prepare_resources(state: Path) -> list[Finding]:
    """Bring what the metrics need onto the machine, as far as it can be had; say what was found, never fail.

    WordNet comes by the first way that works (see `provide_wordnet`), the sentence encoder from the package or the hub.
    """
    return [_wordnet(state, install=True), _sentence_model(download=True)]


def examine_workers(state: Path, address: str) -> list[Finding]:
    """Whether the workers of a Dask cluster could work for a run of this machine, through the shared store.

    Args:
        state: state folder of the runs, as recipes name it.
        address: of the scheduler.
    """
    from videoguard.cluster import check_runner, examine_cluster

    try:
        execution = ExecutionSection(state=state, runner="dask", address=check_address(address))
        check_runner(execution)
        reports = examine_cluster(address, str(execution.shared), state)
    except (UserError, ValueError) as refusal:
        return [Finding(name="cluster", status="missing", found=address, mend=str(refusal))]
    return [
        Finding(
            name=report.name,
            status="missing" if report.problems else "ok",
            found=f"its state folder is {report.state}" if report.state else "it does not answer",
            mend="\n".join(report.problems),
        )
        for report in reports
    ]


def print_findings(findings: Iterable[Finding]) -> None:
    """Print the findings as a table, with what is to be mended below it."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    colours = {"ok": "green", "warning": "yellow", "missing": "red"}
    listed = list(findings)
    table = Table("status", "what", Column("found", overflow="fold"), box=None, pad_edge=False)
    for finding in listed:
        table.add_row(Text(finding.status, colours[finding.status]), finding.name, Text(finding.found))
    console = Console()
    console.print(table)
    for finding in listed:
        if finding.mend:
            console.print(Text(f"\n{finding.name}: {finding.mend}", colours[finding.status]))


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.platform(terse=True)}"
    if _OLDEST_PYTHON <= sys.version_info[:2] < _FIRST_UNTRIED_PYTHON:
        return Finding(name="Python", status="ok", found=found)
    return Finding(name="Python", status="missing", found=found, mend="use Python 3.11 or 3.12")


def _packages() -> Finding:
    versions: list[str] = []
    absent: list[str] = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            absent.append(package)
    if absent:
        mend = "run `make setup`"
        return Finding(name="packages", status="missing", found=f"without {', '.join(absent)}", mend=mend)
    return Finding(name="packages", status="ok", found=", ".join(versions))


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
        described = [f"{card.name} ({card.total_memory / _GIB:.0f} GiB)" for card in cards]
        return Finding(name="GPU", status="ok", found=", ".join(described))
    if Path("/dev/nvidiactl").exists():
        found = f"an NVIDIA card that torch {torch.__version__} cannot use"
        mend = "install a torch build for CUDA that fits the driver (nvidia-smi shows its version)"
        return Finding(name="GPU", status="missing", found=found, mend=mend)
    mend = "nothing is needed for the quickstart; training a model of billions of parameters takes an NVIDIA card"
    return Finding(name="GPU", status="warning", found="none, work runs on the CPU", mend=mend)


def _video() -> list[Finding]:
    """Encode a small clip and decode it again, as the runs do."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        return [_encoder(clip), _decoder(clip)]


def _encoder(clip: Path) -> Finding:
    import av

    try:
        _encode(clip)
    except (av.error.FFmpegError, ValueError, OSError) as fault:
        mend = "reinstall the package av from its wheel, which brings libx264"
        return Finding(name="video encoder", status="missing", found=str(fault), mend=mend)
    return Finding(name="video encoder", status="ok", found=f"libx264 of av {av.__version__}")


def _encode(clip: Path) -> None:
    import av

    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(_CLIP_FRAMES))
        stream.width = stream.height = _CLIP_SIDE
        stream.pix_fmt = "yuv420p"
        for index in range(_CLIP_FRAMES):
            grey = np.full((_CLIP_SIDE, _CLIP_SIDE, 3), index * 20, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())


def _decoder(clip: Path) -> Finding:
    import av

    from videoguard.frames.decoding import DecodeError, decode_video
    from videoguard.frames.rule import FrameRule

    if not clip.is_file():
        return Finding(name="video decoder", status="warning", found="not tried: there was no clip", mend="mend the encoder")
    try:
        video = decode_video(clip, FrameRule(_CLIP_FRAMES, _CLIP_SIDE, "jpeg", 95))
    except DecodeError as fault:
        mend = "reinstall the package av from its wheel"
        return Finding(name="video decoder", status="missing", found=fault.reason, mend=mend)
    return Finding(name="video decoder", status="ok", found=f"av {av.__version__} read {len(video.frames)} frames")


def _state_folder(state: Path) -> Finding:
    """Write a SQLite database as MLflow and Prefect do; some network file systems have no locks for it."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="doctor-", dir=state) as folder:
            database = sqlite3.connect(Path(folder) / "trial.db")
            try:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute("CREATE TABLE trial (value INTEGER)")
                database.commit()
            finally:
                database.close()
    except (OSError, sqlite3.Error) as fault:
        mend = "make it writable, or set execution.state to a folder on a local disk"
        return Finding(name="state folder", status="missing", found=f"{state}: {fault}", mend=mend)
    found = f"{state} is writable, SQLite {sqlite3.sqlite_version} works in it"
    return Finding(name="state folder", status="ok", found=found)


def _disk(state: Path) -> Finding:
    folder = next(place for place in (state.resolve(), *state.resolve().parents) if place.exists())
    free = shutil.disk_usage(folder).free / _GIB
    found = f"{free:.1f} GiB free under {folder}"
    if free >= _WANTED_GIB:
        return Finding(name="disk", status="ok", found=found)
    mend = f"free some space: {_WANTED_GIB} GiB hold frames, checkpoints and databases of a small run"
    return Finding(name="disk", status="missing" if free < _NEEDED_GIB else "warning", found=found, mend=mend)


def _port(name: str, port: int, health: str, elsewhere: str) -> Finding:
    """Whether the port is free, or the server that belongs there answers on it."""
    with socket.socket() as trial:
        trial.settimeout(_CONNECT_TIMEOUT_S)
        if trial.connect_ex(("127.0.0.1", port)) != 0:
            return Finding(name=name, status="ok", found=f"{port} is free")
    if _answers(f"http://127.0.0.1:{port}{health}"):
        return Finding(name=name, status="ok", found=f"{port}: the server runs")
    mend = f"end what listens there, or take another port (`{elsewhere}`)"
    return Finding(name=name, status="warning", found=f"{port} is taken by another program", mend=mend)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_CONNECT_TIMEOUT_S) as response:  # noqa: S310  a fixed http address
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def _wordnet(state: Path, *, install: bool) -> Finding:
    from videoguard.evaluation.wordnet import open_wordnet, provide_wordnet

    def locate() -> str:
        source = provide_wordnet(state, install=install)
        open_wordnet(source)
        return f"{source.location}, from {source.origin}"

    return _resource("WordNet (METEOR)", locate)


def _sentence_model(*, download: bool) -> Finding:
    from videoguard.evaluation.sentence_model import locate_sentence_model

    def locate() -> str:
        model = locate_sentence_model(download=download)
        return f"{model.name} from {model.origin}, SHA-256 of the weights is right"

    return _resource("sentence model (BERT similarity)", locate)


def _resource(name: str, locate: Callable[[], str]) -> Finding:
    try:
        return Finding(name=name, status="ok", found=locate())
    except MissingResourceError as missing:
        return Finding(name=name, status="missing", found=missing.found, mend=missing.mend)
