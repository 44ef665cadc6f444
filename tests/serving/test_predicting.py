"""Answers over HTTP are those of `video-guard predict`, one by one and side by side."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from commands.main import app
from tests.serving.conftest import QUESTION, Running
from tests.waiting import wait_until
from videoguard.serving.asking import Chore

LENGTH = 12


def predicted(videos: list[Path], models: list[Path], base: Path, state: Path, *how: str) -> list[dict[str, Any]]:
    """The rows of `video-guard predict`."""
    output = state / "rows.jsonl"
    arguments: list[object] = ["--base", base, "--state", state, "--question", QUESTION, "--max-new-tokens", LENGTH]
    for model in models:
        arguments += ["--model", model]
    done = CliRunner().invoke(app, ["predict", *map(str, [*videos, *arguments, *how, "--output", output])])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in output.read_text().splitlines()]


def post(served: Running, video: Path, **fields: Any) -> httpx2.Response:
    data = {"question": QUESTION, "max_new_tokens": LENGTH, **fields}
    with video.open("rb") as file:
        return served.client.post("/v1/predict", data=data, files={"video": (video.name, file)})


class Held:
    """Keeps the model's thread from its work until the block ends."""

    def __init__(self, served: Running) -> None:
        (self._base,) = served.service.catalogue._bases.values()
        self._begun, self._over = threading.Event(), threading.Event()

    def __enter__(self) -> "Held":
        self._base._line.put(Chore(self._wait))
        assert self._begun.wait(60)
        return self

    def __exit__(self, *fault: object) -> None:
        self._over.set()

    def wait_for(self, waiting: int) -> None:
        """Until so many questions wait for the model."""
        line = self._base._line
        with line._changed:
            while len(line._work) < waiting:
                assert line._changed.wait(60)

    def _wait(self) -> None:
        self._begun.set()
        assert self._over.wait(60)


def test_many_clients_get_what_predict_says_from_one_batch(served, small_set, trained, tiny_base, tmp_path):
    videos = [sample.path for sample in small_set.samples[:12]]
    rows = predicted(videos, [trained.adapter], tiny_base, tmp_path)
    sizes: list[int] = []
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(len(videos)) as clients:
        patch.setattr(served.service.counters.batch, "observe", sizes.append)
        with Held(served) as held:
            coming = [clients.submit(post, served, video) for video in videos]
            held.wait_for(len(videos))
        answers = [each.result() for each in coming]
    assert [answer.status_code for answer in answers] == [200] * len(videos)
    told = [answer.json()["answers"][0] for answer in answers]
    for name in ("answer", "mean_token_logprob", "new_tokens"):
        assert [each[name] for each in told] == [row[name] for row in rows]
    assert sizes == list(range(1, len(videos) + 1))


def test_base_and_adapter_answer_side_by_side(served, video, trained, tiny_base, tmp_path):
    adapter, base = str(trained.adapter), f"{trained.adapter}#base"
    listed = served.client.get("/v1/models").json()["data"]
    assert [model["id"] for model in listed] == [adapter, base]
    assert [model["frames"] for model in listed] == [4, 4]
    answer = post(served, video, model=[adapter, base]).json()
    tuned, plain = answer["answers"]
    (row,) = predicted([video], [trained.adapter], tiny_base, tmp_path)
    assert (tuned["model"], tuned["answer"], plain["model"]) == (adapter, row["answer"], base)
    assert plain["mean_token_logprob"] != tuned["mean_token_logprob"]
    assert post(served, video, model=base).json()["answers"][0]["answer"] == plain["answer"]
    assert answer["video"]["frames"] == 12
    assert (answer["video"]["width"], answer["video"]["duration_s"]) == (64, 1.0)


def test_a_long_answer_is_cut_where_the_request_wants_it(served, video):
    lengths = {length: post(served, video, max_new_tokens=length).json()["answers"][0] for length in (1, 3)}
    assert [(answer["new_tokens"], answer["ended"]) for answer in lengths.values()] == [(1, False), (3, False)]
    assert lengths[3]["answer"].startswith(lengths[1]["answer"])


def test_labels_are_scored_and_frames_are_shown(served, video, small_set):
    told = post(served, video, label_scores=True, show_frames=True).json()
    (answer,) = told["answers"]
    assert set(answer["label_probabilities"]) == set(served.client.get("/v1/models").json()["labels"])
    assert sum(answer["label_probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert answer["label_probability"] == max(answer["label_probabilities"].values())
    with video.open("rb") as file:
        shown = served.client.post("/v1/frames", files={"video": file}).json()
    assert shown["frames"] == told["frames"]
    # Four frames at the middles of quarters of twelve frames a second: the frames 1, 4, 7, 10.
    assert [frame["time_s"] for frame in shown["frames"]] == [0.083, 0.333, 0.583, 0.833]
    assert all(frame["image"].startswith("data:image/jpeg;base64,/9j/") for frame in shown["frames"])


def test_json_is_held_to_its_schema(served, video):
    schema = {
        "type": "object",
        "properties": {"good": {"type": "boolean"}},
        "required": ["good"],
        "additionalProperties": False,
    }
    answer = post(
        served, video, answer_format="json", json_schema=json.dumps(schema), constrained=True, max_new_tokens=40
    ).json()
    assert set(answer["answers"][0]["parsed"]) == {"good"}


def test_a_path_below_the_root_is_read_and_one_outside_is_not(served, video, small_set, tmp_path_factory):
    root = small_set.manifest.parent
    inside = video.relative_to(root)
    data = {"question": QUESTION, "max_new_tokens": LENGTH}
    found = served.client.post("/v1/predict", data={**data, "path": str(inside)})
    assert found.json()["answers"] == [
        {**post(served, video).json()["answers"][0], "seconds": found.json()["answers"][0]["seconds"]}
    ]
    outside = tmp_path_factory.mktemp("outside") / "clip.mp4"
    outside.write_bytes(video.read_bytes())
    link = root / "link.mp4"
    link.symlink_to(outside)
    try:
        for path in (
            f"../{outside.parent.name}/clip.mp4",
            str(outside),
            "link.mp4",
            "nowhere.mp4",
            "/etc/passwd",
            ".",
            "a\0b",
        ):
            refused = served.client.post("/v1/predict", data={**data, "path": path})
            assert refused.status_code == 403
            assert refused.json()["rule"] == "there is no such file below the allowed folders (--root)"
    finally:
        link.unlink()


@pytest.mark.parametrize(
    ("fields", "status", "thing", "rule"),
    [
        ({"question": ""}, 422, "question", "was trained on the questions of its manifest"),
        ({"model": "models:/other@champion"}, 404, "model", "the service has "),
        ({"frames": 3}, 422, "frames", "was trained with 4 frames of a video"),
        ({"max_new_tokens": 5000}, 422, "max_new_tokens", "an answer may have 1024 (--max-new-tokens)"),
        ({"max_new_tokens": 0}, 422, "max_new_tokens", "greater than or equal to 1"),
        ({"answer_format": "xml"}, 422, "answer_format", "'text' or 'json'"),
        ({"constrained": True}, 422, "answer_format", "go with json"),
        ({"answer_format": "json", "json_schema": "["}, 422, "json_schema", "must be a JSON object"),
        ({"answer_format": "json", "json_schema": '{"type": 7}'}, 422, "json_schema", "is no JSON Schema"),
        ({"fields": '{"a": []}'}, 422, "fields", "texts, numbers or booleans"),
        ({"path": "a.mp4"}, 400, "the video", "one of these may be given"),
    ],
)
def test_what_is_wrong_is_told_with_its_value_and_rule(served, video, fields, status, thing, rule):
    refused = post(served, video, **fields)
    assert refused.status_code == status
    problem = refused.json()
    assert refused.headers["content-type"] == "application/problem+json"
    assert (problem["thing"], problem["status"]) == (thing, status)
    assert rule in problem["rule"]
    assert refused.headers["x-request-id"] == problem["request"]


def test_uploads_are_gone_and_the_audit_log_tells_no_content(served, video):
    told = post(served, video).json()
    assert served.service.uploads.files() == []
    assert served.service.uploads.folder.stat().st_mode & 0o777 == 0o700

    def audited() -> list[dict[str, Any]]:
        lines = map(json.loads, served.service.audit.path.read_text().splitlines())
        return [line for line in lines if line["request"] == told["request"]]

    wait_until(lambda: len(audited()) > 1)  # the last line is written once the answer is on its way
    mine, audit = audited(), served.service.audit.path.read_text()
    assert [line["event"] for line in mine] == ["accepted", "ended"]
    assert (mine[1]["status"], mine[1]["versions"]) == (200, [None])
    assert mine[1]["bytes"] > video.stat().st_size
    assert video.name not in audit
    assert QUESTION not in audit
    assert told["answers"][0]["answer"] not in audit
