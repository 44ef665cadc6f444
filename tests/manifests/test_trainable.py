"""What the flow can learn from; the rest is named and counted, never dropped quietly."""

import json
from pathlib import Path

import pytest

from videoguard.errors import UserError
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.trainable import keep_trainable


def test_rows_without_video_or_answer_become_problems(tmp_path):
    rows = [
        {"path": "live.mp4", "label": "safe", "segments": []},
        {"video": "a.mp4", "question": "q", "answer": "a"},
        {"instruction": "i", "output": "o"},
        {"video": "b.mp4", "question": ""},
        {"messages": [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "a"}], "images": ["i.jpg"]},
    ]
    path = tmp_path / "list.json"
    path.write_text(json.dumps(rows))
    kept = keep_trainable(read_manifest(path), path)
    assert [sample.video for sample in kept.samples] == ["a.mp4"]
    assert kept.rows == [1]
    ends = ": the flow learns from videos with wanted answers"
    assert [str(problem) for problem in kept.problems] == [
        f"row 0, row: has no wanted answer{ends}",
        f"row 2, row: shows no video{ends}",
        "row 3, question: is empty: it must say something",
        "row 3, answer: is missing: it must be a text",
        f"row 4, row: shows images, which are not read as frames yet{ends}",
    ]


def test_a_manifest_of_images_is_refused_with_the_number_of_its_rows(shared):
    path: Path = shared / "data/manifests/messages_images.json"
    with pytest.raises(UserError) as refused:
        keep_trainable(read_manifest(path, shared / "data"), path)
    assert str(refused.value) == (
        f"manifest {path} (messages) has no row to learn from (6 rows: shows images, which are not read as frames yet): "
        "the flow train-eval learns from videos with wanted answers"
    )


@pytest.mark.parametrize("file", ["conversations.json", "messages_video.json", "guard_clips.jsonl", "qved_manifest.json"])
def test_video_formats_are_kept_whole(shared, file):
    path = shared / "data/manifests" / file
    reading = read_manifest(path, shared / "data")
    assert keep_trainable(reading, path) == reading
