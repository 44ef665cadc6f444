"""Frames from real files, a folder that grows while it is read, and a loopback server."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from videoguard.errors import UserError
from videoguard.exercises.video import write_video
from videoguard.frames.decoding import decode_video
from videoguard.frames.rule import FrameRule
from videoguard.inference.guard.sources import Source

RULE = FrameRule(count=1000, max_side=64, codec="png", jpeg_quality=95, sampling="fps", fps=1.0)


def greys(levels: list[int]) -> np.ndarray:
    return np.stack([np.full((32, 48, 3), level, dtype=np.uint8) for level in levels])


@pytest.fixture
def film(tmp_path) -> Path:
    """Five and a half seconds at four frames a second, each second brighter."""
    path: Path = tmp_path / "film.mp4"
    write_video(path, greys([40 * (number // 4) for number in range(22)]), 4)
    return path


def test_a_file_gives_the_frames_that_the_training_would_have(film):
    frames = list(Source(str(film), RULE).frames())
    stored = decode_video(film, RULE)
    assert [time for time, _ in frames] == stored.timestamps_s.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert np.array_equal(np.concatenate([picture for _, picture in frames]), stored.frames)


@pytest.mark.parametrize("name", ["clips/plank_00000340.mp4", "clips/flipping_a_pancake.mkv", "hard/rotated_90.mov"])
def test_real_files_give_the_frames_that_the_training_would_have(shared, name):
    path = shared / "data" / name
    if not path.exists():
        pytest.skip(f"no {name}")
    frames = list(Source(str(path), RULE).frames())
    stored = decode_video(path, RULE)
    # The store names the time at which a frame is first shown, the stream the time at which it looked.
    assert len(frames) == len(stored.timestamps_s)
    assert np.array_equal(np.concatenate([picture for _, picture in frames]), stored.frames)


def test_a_file_that_breaks_off_is_judged_as_far_as_it_goes(shared):
    source = Source(str(shared / "data/hard/corrupted.mp4"), RULE)
    assert len(list(source.frames())) == 3
    (problem,) = source.problems
    assert "the video is damaged" in problem


@pytest.mark.parametrize(("name", "says"), [("empty.mp4", "empty"), ("text.mp4", "not a video"), ("gone.mp4", "not there")])
def test_what_is_no_video_is_refused(shared, name, says):
    with pytest.raises(UserError, match=says):
        list(Source(str(shared / "data/hard" / name), RULE).frames())


def test_a_folder_is_read_as_it_grows(tmp_path, film):
    Image.fromarray(greys([10])[0]).save(tmp_path / "0001.png")
    film.rename(tmp_path / "notes.txt")
    seen = []
    for time, picture in Source(str(tmp_path), RULE, fps=2.0, wait=0.5).frames():
        seen.append((time, int(picture[0, 0, 0, 0])))
        if len(seen) < 4:
            Image.fromarray(greys([10 * (len(seen) + 1)])[0]).save(tmp_path / f"{len(seen) + 1:04}.png")
    assert seen == [(0.0, 10), (0.5, 20), (1.0, 30), (1.5, 40)]


def test_an_image_that_cannot_be_read_is_listed(tmp_path):
    Image.fromarray(greys([10])[0]).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    source = Source(str(tmp_path), RULE, wait=1.5)
    assert len(list(source.frames())) == 1
    assert [problem.partition(":")[0] for problem in source.problems] == [str(tmp_path / "2.png")]


def test_a_folder_without_frames_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no frames"):
        list(Source(str(tmp_path), RULE, wait=0.2).frames())


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """The address of `tmp_path`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()
        thread.join()


def test_an_address_is_read_as_it_comes(film, server):
    source = Source(f"{server}/film.mp4", RULE)
    frames = list(source.frames())
    assert np.array_equal(np.concatenate([picture for _, picture in frames]), decode_video(film, RULE).frames)
    assert (source.problems, source.dropped) == ([], 0)


def test_an_address_that_does_not_answer_is_refused(server):
    with pytest.raises(UserError, match="cannot be opened"):
        list(Source(f"{server}/none.mp4", RULE).frames())


def test_whoever_stops_watching_an_address_ends_its_thread(film, server):
    before = threading.active_count()
    frames = Source(f"{server}/film.mp4", RULE, fps=4.0).frames()
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    # The server may still be sending to the one who left.
    assert threading.active_count() <= before + 1
