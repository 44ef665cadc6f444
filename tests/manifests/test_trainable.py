"""What the flow can learn from; the rest is named and counted, never dropped quietly."""

import json
from pathlib import Path

import pytest

from videoguard.errors import UserError
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.trainable import is_guarded, is_text_alone, keep_trainable


def test_rows_without_video_or_answer_become_problems(tmp_path):
    rows = [
        {"input_video": "w.mp4", "prompt": "it rains", "output_video": "r.mp4"},
        {"video": "a.mp4", "question": "q", "answer": "a"},
        {"instruction": "i", "output": "o"},
        {"video": "b.mp4", "question": ""},
        {"messages": [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "a"}], "images": ["i.jpg"]},
    ]
    path = tmp_path / "list.json"
    path.write_text(json.dumps(rows))
    kept = keep_trainable(read_manifest(path), path)
    assert [sample.media for sample in kept.samples] == [("a.mp4",), ("i.jpg",)]
    assert kept.rows == [1, 4]
    ends = ": the flow learns from videos, images or text alone, with wanted answers, or from guarded videos"
    assert [str(problem) for problem in kept.problems] == [
        f"row 0, row: has no wanted answer{ends}",
        f"row 2, row: shows nothing, and other rows do{ends}",
        "row 3, question: is empty: it must say something",
        "row 3, answer: is missing: it must be a text",
    ]


def test_a_manifest_without_answers_is_refused_with_the_number_of_its_rows(tmp_path):
    path = tmp_path / "worlds.json"
    rows = [{"input_video": f"{name}.mp4", "prompt": "it rains", "output_video": "r.mp4"} for name in "ab"]
    path.write_text(json.dumps(rows))
    with pytest.raises(UserError) as refused:
        keep_trainable(read_manifest(path), path)
    assert str(refused.value) == (
        f"manifest {path} (world) has no row to learn from (2 rows: has no wanted answer): "
        "the flow learns from videos, images or text alone, with wanted answers, or from guarded videos"
    )


def test_guarded_videos_are_learnt_from_their_labels_and_with_no_others(tmp_path):
    rows = [
        {"path": "live.mp4", "label": "unsafe:C3", "segments": [{"start": 0, "end": 2}]},
        {"video": "a.mp4", "question": "q", "answer": "a"},
    ]
    path = tmp_path / "list.json"
    path.write_text(json.dumps(rows))
    kept = keep_trainable(read_manifest(path), path)
    assert [sample.media for sample in kept.samples] == [("live.mp4",)]
    assert is_guarded(kept.samples)
    assert [str(problem) for problem in kept.problems] == [
        "row 1, row: is no guarded video, and other rows are: the flow learns from videos, images or text alone, "
        "with wanted answers, or from guarded videos"
    ]


def test_text_alone_is_a_data_set_of_its_own(shared):
    path: Path = shared / "data/timeline/sft_data.jsonl"
    reading = read_manifest(path)
    assert keep_trainable(reading, path) == reading
    assert is_text_alone(reading.samples)


@pytest.mark.parametrize(
    "file", ["conversations.json", "messages_video.json", "guard_clips.jsonl", "qved_manifest.json", "messages_images.json"]
)
def test_videos_and_images_are_kept_whole(shared, file):
    path = shared / "data/manifests" / file
    reading = read_manifest(path, shared / "data")
    assert keep_trainable(reading, path) == reading
    assert not is_text_alone(reading.samples)
