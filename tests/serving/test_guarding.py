"""A video judged over HTTP as `video-guard guard` judges it, event by event."""

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from commands.main import app
from tests.inference.guard.conftest import streaming_base
from tests.serving.conftest import Running, running
from videoguard.exercises.video import write_video

__all__ = ["streaming_base"]


@pytest.fixture(scope="module")
def guarding(settings, streaming_base):
    """A service on weights that name categories in some frames and none in others."""
    with running(settings(models=(str(streaming_base.folder),), base=None, labels=None)) as found:
        yield found


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Ten seconds of noise that changes twice a second."""
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    pictures = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    write_video(path, pictures, 2)
    return path


def judge(served: Running, video: Any, **fields: Any) -> list[tuple[str, Any]]:
    """Name and content of each event."""
    with video.open("rb") as file, served.client.stream("POST", "/v1/guard", data=fields, files={"video": file}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.read()
        text = "".join(answer.iter_text())
    events = [dict(line.split(": ", 1) for line in event.splitlines()) for event in text.strip().split("\n\n")]
    return [(event["event"], json.loads(event["data"])) for event in events]


def test_events_are_what_the_command_writes(guarding, noise, streaming_base, tmp_path):
    fields = {"thresholds": '{"C3": 0.2}', "clip_frames": 4}
    events = judge(guarding, noise, **fields)
    command = ["guard", noise, "--model", streaming_base.folder, "--threshold", "C3=0.2", "--clip-frames", 4]
    done = CliRunner().invoke(app, [*map(str, [*command, "--output", tmp_path, "--state", tmp_path])])
    assert done.exit_code == 0, done.output
    trace = json.loads((tmp_path / "guard.json").read_text())["trace"]
    by_name: dict[str, list[Any]] = {}
    for name, content in events:
        by_name.setdefault(name, []).append(content)
    wanted = [frame for clip in trace["clips"] for frame in clip["frames"]]
    assert len(wanted) == 10
    for frame, same in zip(by_name["frame"], wanted, strict=True):
        assert (frame["time"], frame["labels"], frame["raised"]) == (same["time"], same["labels"], same["raised"])
        assert frame["probabilities"] == pytest.approx(same["probabilities"], abs=1e-5)
    assert [(alarm["category"], alarm["time"]) for alarm in by_name["alarm"]] == [
        (alarm["category"], alarm["time"]) for alarm in trace["alarms"]
    ]
    assert [(clip["start"], clip["end"], clip["summary"]) for clip in by_name["clip"]] == [
        (clip["frames"][0]["time"], clip["frames"][-1]["time"], clip["summary"]) for clip in trace["clips"]
    ]
    assert by_name["verdict"][0]["labels"] == trace["verdict"]
    (begin,) = by_name["begin"]
    assert (begin["thresholds"]["C3"], begin["thresholds"]["C1"], begin["video"]["frames"]) == (0.2, 0.5, 20)
    assert [name for name, _ in events[-2:]] == ["verdict", "end"]

    whole = {**fields, "reply": "json"}
    with noise.open("rb") as file:
        judged = guarding.client.post("/v1/guard", data=whole, files={"video": file}).json()
    for name, plural in (("frame", "frames"), ("alarm", "alarms"), ("clip", "clips")):
        assert judged[plural] == by_name[name]
    assert judged["verdict"] == by_name["verdict"][0]


def test_questions_are_answered_while_a_stream_is_judged(guarding, noise):
    fields = {"question": "Which?", "max_new_tokens": 4}
    data = {"fps": 2.0}
    with noise.open("rb") as file, guarding.client.stream("POST", "/v1/guard", data=data, files={"video": file}) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: begin"
        with noise.open("rb") as other:
            said = guarding.client.post("/v1/predict", data=fields, files={"video": other})
        assert said.status_code == 200
        assert sum(line == "event: frame" for line in lines) == 20


@pytest.mark.parametrize(
    ("fields", "thing"),
    [
        ({"thresholds": '{"C9": 0.5}'}, "thresholds"),
        ({"thresholds": '{"C1": 2}'}, "thresholds"),
        ({"thresholds": "nonsense"}, "thresholds"),
        ({"fps": 0}, "fps"),
        ({"model": "other"}, "model"),
    ],
)
def test_what_is_wrong_is_told_before_the_stream(guarding, noise, fields, thing):
    with noise.open("rb") as file:
        refused = guarding.client.post("/v1/guard", data=fields, files={"video": file})
    assert refused.status_code in {404, 422}
    assert refused.json()["thing"] == thing


def test_a_video_with_too_many_frames_is_refused_before_any_is_judged(settings, streaming_base, noise):
    with running(settings(models=(str(streaming_base.folder),), base=None, labels=None, max_guard_frames=5)) as strict:
        with noise.open("rb") as file:
            refused = strict.client.post("/v1/guard", files={"video": file})
        assert refused.status_code == 422
        assert refused.json()["value"] == "not decodable: it has more than 5 frames at 1 a second"
