"""Timelines: of fan comments by a model of text, and of a long video cut into windows."""

import json
from pathlib import Path

import pytest

from tests.serving.conftest import QUESTION, running
from tests.serving.test_predicting import LENGTH, post, predicted
from videoguard.serving import answering
from videoguard.serving.timelines import INSTRUCTION, SCHEMA, Window, window_text

GAME = {"game_id": "2022-12-25-MEM-GSW"}


def test_the_prompt_is_that_of_the_published_pairs(shared):
    with (shared / "data" / "timeline" / "sft_data.jsonl").open() as lines:
        row = json.loads(next(lines))
    context, comments = row["input"].split("\n\n[COMMENTS]\n")
    facts = dict(word.split("=") for word in context.split()[2:])
    window = Window(**facts, comments=[line.removeprefix("• ") for line in comments.split("\n")])
    assert row["instruction"] == INSTRUCTION
    assert window_text("2022-12-25-MEM-GSW", window) == row["input"]


def test_the_schema_is_that_of_the_recipe():
    recipe = json.loads(Path(__file__).parents[2].joinpath("configs/schemas/timeline.json").read_text())
    entry = recipe["properties"]["timeline"]["items"]["properties"]
    entry["ts"].pop("description")
    assert SCHEMA.content == {name: value for name, value in recipe.items() if name not in {"$schema", "title"}}


def test_each_window_has_entries_or_a_reason(settings, tiny_family):
    windows = [{"quarter": "Q1", "window": clock, "comments": ["What a dunk!"]} for clock in ("11:59", "10:59")]
    with running(settings(models=(str(tiny_family("llama")),), base=None, labels=None)) as text:
        told = text.client.post("/v1/timeline/generate", json={**GAME, "windows": windows, "max_new_tokens": 200}).json()
        assert len(told["timeline"]) + len(told["problems"]) >= 2
        for entry in told["timeline"]:
            assert SCHEMA.errors({"timeline": [entry]}) == []
        free = {**GAME, "windows": windows, "max_new_tokens": 3, "constrained": False}
        loose = text.client.post("/v1/timeline/generate", json=free).json()
        assert [problem["window"] for problem in loose["problems"]] == [0, 1]
        assert all("not a JSON object or array" in problem["problem"] for problem in loose["problems"])
        short = text.client.post("/v1/timeline/generate", json={**free, "constrained": True})
        assert (short.status_code, short.json()["value"]) == (422, "refused")


def test_a_model_of_videos_refuses_and_what_is_wrong_is_told(served):
    refused = served.client.post("/v1/timeline/generate", json={**GAME, "windows": [{"quarter": "Q1"}, {}]})
    assert [problem["thing"] for problem in refused.json()["problems"]] == [
        f"windows.{place}.{name}"
        for place, name in ((0, "window"), (0, "comments"), (1, "quarter"), (1, "window"), (1, "comments"))
    ]
    window = {"quarter": "Q1", "window": "11:59", "comments": ["a"]}
    refused = served.client.post("/v1/timeline/generate", json={**GAME, "windows": [window]})
    assert (refused.status_code, refused.json()["thing"]) == (422, "the video")


@pytest.mark.parametrize("merge", ["vote", "distinct", "timeline"])
def test_windows_of_a_video_are_merged_as_predict_merges_them(served, video, trained, tiny_base, tmp_path, merge):
    how = ["--window", "0.5", "--overlap", "0.1", "--merge", merge]
    (row,) = predicted([video], [trained.adapter], tiny_base, tmp_path, *how)
    told = post(served, video, window=0.5, overlap=0.1, merge=merge).json()["answers"][0]
    for name in ("answer", "mean_token_logprob", "new_tokens"):
        assert told[name] == row[name]


@pytest.mark.parametrize(
    ("fields", "thing"),
    [({"overlap": 1}, "window"), ({"window": 1, "overlap": 2}, "overlap")],
)
def test_windows_that_cannot_be_cut_are_refused(served, video, fields, thing):
    refused = post(served, video, question=QUESTION, max_new_tokens=LENGTH, **fields)
    assert (refused.status_code, refused.json()["thing"]) == (422, thing)


def test_a_video_that_would_be_cut_into_too_many_windows_is_refused(served, video, monkeypatch):
    monkeypatch.setattr(answering, "_MOST_WINDOWS", 2)
    refused = post(served, video, window=0.25)
    assert (refused.status_code, refused.json()["thing"]) == (422, "window")
    assert post(served, video, window=1).status_code == 200
