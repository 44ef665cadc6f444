"""The folder of exercise videos: what is in it, and what is never lost from it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import av
import pytest

from videoguard.errors import UserError
from videoguard.exercises.catalogue import QUESTION
from videoguard.exercises.generate import generate_exercise_videos


def generate(folder: Path, **changes: Any) -> Path:
    parameters: dict[str, Any] = {
        "videos_per_form": 1,
        "answers": "text",
        "size": 32,
        "seconds": 0.5,
        "fps": 8,
        "seed": 0,
        "workers": 1,
    }
    return generate_exercise_videos(folder, **(parameters | changes))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exercises") / "set"
    return generate(folder)


def test_every_manifest_row_has_its_video_question_and_answer(made):
    rows = json.loads(made.read_text())

    assert len(rows) == 24
    assert rows[0] == {
        "video": "videos/squat_correct_000.mp4",
        "conversations": [
            {"from": "human", "value": QUESTION},
            {"from": "gpt", "value": "squat - good depth and a straight back"},
        ],
    }
    assert all((made.parent / row["video"]).is_file() for row in rows)


def test_videos_are_h264_of_the_asked_size_rate_and_length(made):
    with av.open(str(made.parent / "videos/toe-touch_bent-knees_000.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 32, 32)
        assert stream.average_rate == 8
        assert sum(1 for _ in container.decode(stream)) == 4


def test_the_same_parameters_give_the_same_bytes_with_any_number_of_workers(made, tmp_path):
    other = generate(tmp_path / "set", workers=2)
    assert digests(other.parent) == digests(made.parent)


def test_nothing_is_done_where_the_set_is_there(tmp_path):
    calls = []
    manifest = generate(tmp_path / "set", on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(count, 24) for count in range(1, 25)]
    video = tmp_path / "set/videos/squat_correct_000.mp4"
    before = video.stat().st_mtime_ns

    calls.clear()
    assert generate(tmp_path / "set", on_progress=lambda done, total: calls.append((done, total))) == manifest
    assert calls == []
    assert video.stat().st_mtime_ns == before


def test_other_parameters_replace_a_generated_set_and_leave_nothing_beside_it(tmp_path):
    generate(tmp_path / "set")
    manifest = generate(tmp_path / "set", answers="json", seed=1)

    answer = json.loads(manifest.read_text())[0]["conversations"][1]["value"]
    assert json.loads(answer)["exercise"] == "squat"
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_set_that_lost_a_video_is_made_again(tmp_path):
    generate(tmp_path / "set")
    lost = tmp_path / "set/videos/squat_correct_000.mp4"
    lost.unlink()
    generate(tmp_path / "set")
    assert lost.is_file()


def test_a_folder_with_other_files_is_refused_and_kept(tmp_path):
    theirs = tmp_path / "set/clinic.mp4"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    with pytest.raises(UserError, match=r"not generated \(clinic\.mp4\)"):
        generate(tmp_path / "set")
    assert theirs.read_bytes() == b"theirs"


def test_a_file_that_the_user_put_into_a_generated_set_is_kept(tmp_path):
    generate(tmp_path / "set")
    theirs = tmp_path / "set/videos/clinic.mp4"
    theirs.write_bytes(b"theirs")
    with pytest.raises(UserError, match=r"clinic\.mp4 was not generated"):
        generate(tmp_path / "set", seed=1)
    assert theirs.read_bytes() == b"theirs"


def test_an_edited_manifest_is_kept(tmp_path):
    manifest = generate(tmp_path / "set")
    edited = manifest.read_text().replace("good depth", "great depth")
    manifest.write_text(edited)
    with pytest.raises(UserError, match="was changed after it was generated"):
        generate(tmp_path / "set")
    assert manifest.read_text() == edited


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "set").write_text("notes")
    with pytest.raises(UserError, match="is a file"):
        generate(tmp_path / "set")


def test_an_odd_size_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"size is 33: it must be even"):
        generate(tmp_path / "set", size=33)
    assert not (tmp_path / "set").exists()


def test_a_failed_making_leaves_no_folder(tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "set", on_progress=stop)
    assert list(tmp_path.iterdir()) == []
