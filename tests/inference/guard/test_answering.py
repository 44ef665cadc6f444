"""Test videos judged as streams: a row a video, kept as it is made."""

import json

import pytest

from videoguard.dataset.building import read_split
from videoguard.dataset.guard import GuardedVideo
from videoguard.inference.guard.answering import answer_streams, is_guard_split
from videoguard.inference.guard.trace import alarms_of
from videoguard.inference.rows import AnswerRow, read_rows


@pytest.fixture(scope="module")
def judged(stream_request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    events: list[dict[str, object]] = []
    reply = answer_streams(stream_request(folder), events.append)
    return folder, reply, read_rows(folder / "rows.jsonl"), events


def test_a_row_holds_the_decision_of_every_frame_and_what_was_wanted(judged, incident_set):
    _, reply, rows, events = judged
    split = read_split(incident_set.dataset, "test")
    assert is_guard_split(split)
    assert [row.id for row in rows] == list(split["id"])
    assert (reply.rows, reply.failed, reply.computed) == (len(rows), 0, len(rows))
    assert [event["step"] for event in events] == list(range(1, len(rows) + 1))
    for row, told in zip(rows, split, strict=True):
        wanted = GuardedVideo.model_validate_json(told["guard"])
        assert row.guard is not None
        assert [clip.video for clip in row.guard.clips] == [clip.video for clip in wanted.clips]
        assert [frame.wanted for frame in row.guard.frames] == [labels for clip in wanted.clips for labels in clip.frames]
        assert [frame.time for frame in row.guard.frames] == [time for clip in wanted.clips for time in clip.times]
        assert row.guard.wanted == wanted.labels
        assert list(row.guard.alarms) == alarms_of(row.guard.frames)


def test_decisions_are_those_of_a_stream_of_the_stored_frames(judged, incident_set, guard):
    *_, rows, _ = judged
    row: AnswerRow = rows[0]
    assert row.guard is not None
    stream = guard(clip_frames=None, summary_tokens=96, system="Be strict.", response_tokens=12)
    for clip in row.guard.clips:
        pictures = incident_set.store.frames(clip.video)
        decisions = [stream.push(pictures[place : place + 1], frame.time) for place, frame in enumerate(clip.frames)]
        ended = stream.close_clip()
        assert [decision.labels for decision in decisions] == [frame.labels for frame in clip.frames]
        assert ended.summary == clip.summary
    assert stream.respond().text == row.answer


def test_what_was_judged_is_not_judged_again(judged, stream_request, tmp_path):
    folder, _, rows, _ = judged
    again = answer_streams(stream_request(tmp_path, row_store=folder / "rows.db"), lambda event: None)
    assert again.computed == 0
    assert read_rows(tmp_path / "rows.jsonl") == rows


def test_other_labels_are_other_rows(judged, stream_request, incident_set, tmp_path):
    from datasets import DatasetDict, load_from_disk

    folder, _, rows, _ = judged

    def relabel(row):
        video = json.loads(row["guard"])
        return {**row, "guard": json.dumps({**video, "labels": ["C1"]})}

    tables = load_from_disk(str(incident_set.dataset))
    DatasetDict({"test": tables["test"].map(relabel)}).save_to_disk(str(tmp_path / "set"))
    changed = stream_request(tmp_path, row_store=folder / "rows.db", dataset=tmp_path / "set")
    assert answer_streams(changed, lambda event: None).computed == len(rows)
    assert [row.guard.wanted for row in read_rows(tmp_path / "rows.jsonl") if row.guard] == [("C1",)] * len(rows)
