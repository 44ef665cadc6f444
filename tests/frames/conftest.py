"""A few short videos that differ in their grey level."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from videoguard.exercises.video import write_video


def _write_videos(folder: Path, number: int) -> dict[str, Path]:
    """Videos of six frames at 10 frames per second; video `n` is grey of level `20 + 10 n`, and 5 more each frame."""
    files = {f"videos/{video}.mp4": folder / f"{video}.mp4" for video in range(number)}
    for video, file in enumerate(files.values()):
        levels = (20 + 10 * video + 5 * np.arange(6)).astype(np.uint8)
        write_video(file, np.broadcast_to(levels[:, None, None, None], (6, 32, 32, 3)), fps=10)
    return files


@pytest.fixture
def media(tmp_path) -> dict[str, Path]:
    """Files of twelve contents by digest."""
    (tmp_path / "videos").mkdir()
    files = _write_videos(tmp_path / "videos", 12).values()
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in files}


@pytest.fixture(scope="session")
def twenty_videos(tmp_path_factory) -> dict[str, Path]:
    """Twenty videos by name, more than one row group holds."""
    return _write_videos(tmp_path_factory.mktemp("videos"), 20)


@pytest.fixture
def misbehaving(monkeypatch):
    """The module of reading functions, where a spawned process finds it too."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import misbehaving  # type: ignore[import-not-found]

    return misbehaving
