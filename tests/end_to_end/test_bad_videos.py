"""Real clips among bad ones: the good go all the way, each bad one is told by name and reason."""

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]

UNDECODABLE = {
    "hard/audio_only.mp4": "it has no video stream",
    "hard/corrupted.mp4": "the video is damaged: its stream cannot be decoded",
    "hard/empty.mp4": "the file is empty",
    "hard/not_there.mp4": "the file is missing",
    "hard/text.mp4": "it is not a video file",
    "hard/truncated.mp4": "the file is cut off or damaged: its index (the moov box) is missing",
}


def test_good_clips_reach_the_workbook_and_bad_ones_are_quarantined(workspace, quickstart, shared):
    """The tiny base that the quickstart made is used again."""
    ended = workspace.call(
        *("video-guard", "run", "configs/qved_tiny.yaml", "--json", "--set", "training.epochs=1"),
        *("--set", f"data.manifest={shared / 'data/manifests/conversations_with_bad_videos.json'}"),
        *("--set", f"data.media_root={shared / 'data'}"),
    )
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    summary = json.loads(ended.stdout)
    assert summary["quarantine"] == UNDECODABLE
    assert (summary["problems"], summary["failed_rows"]) == ([], 0)
    assert sum(summary["rows"].values()) == 15
    assert summary["scores"]["fine_tuned"]["rouge_l"]["n"] == summary["rows"]["test"] > 0

    from openpyxl import load_workbook

    book = load_workbook(workspace.folder / summary["workbook"])
    told = [row for row in book["Errors"].iter_rows(values_only=True) if row[2] in UNDECODABLE]
    assert {row[2]: row[-1] for row in told} == UNDECODABLE


def test_a_run_without_a_decodable_video_is_refused(workspace, shared):
    rows = [{"video": video, "question": "Which exercise?", "answer": "squat - good"} for video in UNDECODABLE]
    (workspace.state / "undecodable.json").write_text(json.dumps(rows))
    ended = workspace.call(
        *("video-guard", "run", "configs/qved_tiny.yaml"),
        *("--set", f"data.manifest={workspace.state / 'undecodable.json'}"),
        *("--set", f"data.media_root={shared / 'data'}"),
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    refusal = ended.stderr[ended.stderr.index("error: ") :].splitlines()
    assert refusal[0].endswith("none of its 6 videos can be decoded; check data.media_root and the files")
    assert "  - hard/audio_only.mp4: it has no video stream" in refusal
