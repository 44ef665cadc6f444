"""Killed and started again: every sample is answered once, and the answers are those of an undisturbed inference."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from tests.kills import KilledError, kill_at
from videoguard.config import InferenceSection
from videoguard.dataset.building import read_split
from videoguard.inference import infer as module
from videoguard.inference.infer import ROWS, in_shard, infer
from videoguard.inference.request import InferenceReply
from videoguard.inference.row_store import RowStore
from videoguard.inference.rows import AnswerRow, read_rows, write_rows
from videoguard.subprocesses import call

BATCH = 5


def without_latency(rows: list[AnswerRow]) -> list[dict[str, object]]:
    return [row.model_dump(exclude={"latency_s"}) for row in rows]


def row_number(number: int, **fields: object) -> AnswerRow:
    made = {"id": str(number), "video": "v", "group": "0", "label": None, "question": "?", "reference": "!", "status": "ok"}
    return AnswerRow.model_validate(made | fields)


def ask_otherwise(row: dict[str, Any]) -> dict[str, Any]:
    """The question of a row, in other words."""
    question = row["messages"][-2]
    return {**question, "content": [*question["content"][:-1], {"type": "text", "text": "What is done here?"}]}


def roughly(rows: list[AnswerRow]) -> list[dict[str, object]]:
    """Rows without what differs from run to run: their times, and the last bits of the log-probabilities."""
    told = [row.model_dump(exclude={"latency_s"}) for row in rows]
    return [{**row, "mean_token_logprob": pytest.approx(row["mean_token_logprob"], abs=1e-4)} for row in told]


def stored_in(store: Path) -> int:
    """Answers that are on disk."""
    with closing(sqlite3.connect(store)) as database:
        return int(database.execute("SELECT count(*) FROM answers").fetchone()[0])


@pytest.mark.slow
def test_a_sigkill_loses_no_row_and_makes_none_twice(inference_request, answered, tmp_path):
    request = inference_request(tmp_path)
    with pytest.raises(KilledError):
        call("videoguard.inference", request, InferenceReply, threads=1, timeout_s=300.0, on_event=kill_at(1))
    assert not (request.output / ROWS).exists()
    kept = stored_in(request.row_store)
    assert kept > 0
    events: list[dict[str, object]] = []
    reply = call("videoguard.inference", request, InferenceReply, threads=1, timeout_s=300.0, on_event=events.append)

    rows = read_rows(request.output / ROWS)
    assert without_latency(rows) == roughly(answered[1])
    assert events[0] == {"step": kept, "of": len(rows), "metrics": {}, "note": f"{kept} answers kept"}
    assert reply.computed == len(rows) - kept
    assert reply.new_tokens == answered[0].new_tokens


def test_what_was_answered_is_not_asked_again(inference_request, answered, tmp_path):
    request = inference_request(tmp_path)
    with pytest.raises(KilledError):
        infer(request, kill_at(BATCH))
    kept = stored_in(request.row_store)
    assert BATCH <= kept < len(answered[1])
    reply = infer(request, lambda event: None)
    rows = read_rows(request.output / ROWS)
    assert reply.computed == len(rows) - kept
    assert reply.seconds == pytest.approx(sum(row.latency_s or 0.0 for row in rows))
    assert without_latency(rows) == roughly(answered[1])


def test_no_model_is_loaded_where_nothing_is_left_to_do(inference_request, tmp_path, monkeypatch):
    request = inference_request(tmp_path)
    infer(request, lambda event: None)
    rows = read_rows(request.output / ROWS)
    (request.output / ROWS).unlink()
    for name in ("load_processor", "share_base"):
        monkeypatch.setattr(module, name, lambda *arguments: pytest.fail("a model was loaded"))
    reply = infer(request, lambda event: None)
    assert (reply.rows, reply.computed) == (len(rows), 0)
    assert read_rows(request.output / ROWS) == rows


def test_a_changed_data_set_costs_its_new_rows(inference_request, answered, small_set, tmp_path):
    """One row asks another question, one wants another answer under another name, one is new."""
    store = tmp_path / "rows.db"
    whole = inference_request(tmp_path, row_store=store)
    infer(whole, lambda event: None)
    rows = [dict(row) for row in read_split(small_set.dataset, "test")]
    rows[0] = {**rows[0], "messages": [*rows[0]["messages"][:-2], ask_otherwise(rows[0]), rows[0]["messages"][-1]]}
    rows[1] = {**rows[1], "id": "renamed", "answer": "another"}
    Dataset.from_list([rows[3], rows[1], rows[0]]).save_to_disk(str(tmp_path / "changed" / "test"))
    (tmp_path / "changed" / "dataset_dict.json").write_text('{"splits": ["test"]}')
    output = tmp_path / "again"
    output.mkdir()
    reply = infer(inference_request(output, row_store=store, dataset=tmp_path / "changed"), lambda event: None)
    made = read_rows(output / ROWS)
    assert (reply.rows, reply.computed) == (3, 1)
    assert made[0] == read_rows(tmp_path / ROWS)[3]
    assert (made[1].id, made[1].reference, made[1].answer) == ("renamed", "another", answered[1][1].answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"adapter": None},
        {"inference": InferenceSection(max_new_tokens=13)},
        {"dtype": "bfloat16"},
        {"since": datetime(2999, 1, 1, tzinfo=UTC)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_answer_is_kept_for_what_it_was_an_answer_to(changes, inference_request, tmp_path):
    """Another model, another length or other numbers are asked anew, and so is what must be fresh."""
    request = inference_request(tmp_path)
    infer(request, lambda event: None)
    reply = infer(request.model_copy(update=changes), lambda event: None)
    assert reply.computed == reply.rows


def test_a_store_that_is_damaged_is_put_aside(tmp_path):
    path = tmp_path / "rows.db"
    RowStore(path).add({"a": row_number(1, answer="yes"), "b": row_number(2, status="failed", error="no")})
    assert {key: stored.answer for key, stored in RowStore(path).find(["a", "b", "c"]).items()} == {"a": "yes"}
    path.write_bytes(b"no database at all, but long enough to be read as the header of one" * 20)
    (tmp_path / "rows.db-wal").unlink(missing_ok=True)
    assert RowStore(path).find(["a"]) == {}
    assert (tmp_path / "rows.db.damaged").is_file()


def test_the_shards_are_the_split_cut_by_video(inference_request, answered, small_set, tmp_path):
    together: dict[str, AnswerRow] = {}
    for shard in range(3):
        request = inference_request(tmp_path / str(shard), shard=shard, shards=3)
        request.output.mkdir()
        reply = infer(request, lambda event: None)
        rows = read_rows(request.output / ROWS)
        assert reply.rows == len(rows)
        assert all(in_shard(row.group, shard, 3) for row in rows)
        together |= {row.id: row for row in rows}
    split = [row["id"] for row in read_split(small_set.dataset, "test")]
    assert sorted(together) == sorted(split)
    assert [together[row].answer for row in split] == [row.answer for row in answered[1]]


def test_a_sample_without_frames_fails_alone(inference_request, answered, small_set, tmp_path):
    """The index of the frames does not know the first video, nor any of the last batch."""
    import pyarrow.parquet as pq

    rows = answered[1]
    last = range((len(rows) - 1) // BATCH * BATCH, len(rows))
    unknown = {rows[place].video for place in (0, *last)}
    index = tmp_path / "index"
    index.mkdir()
    videos = pq.read_table(small_set.frames / "videos.parquet")
    known = [video not in unknown for video in videos["video"].to_pylist()]
    pq.write_table(videos.filter(known), index / "videos.parquet")

    reply = infer(inference_request(tmp_path, frame_store=index), lambda event: None)
    made = read_rows(tmp_path / ROWS)
    assert reply.failed == len(unknown)
    for row, wanted in zip(made, rows, strict=True):
        if row.video in unknown:
            reason = f"{index} has no frames of {row.video}: it is not in the manifest, or in quarantine"
            assert (row.status, row.error, row.answer, row.latency_s) == ("failed", reason, None, None)
        else:
            assert (row.status, row.answer) == ("ok", wanted.answer)
        assert (row.id, row.question, row.reference) == (wanted.id, wanted.question, wanted.reference)


def test_a_shard_that_does_not_exist_is_refused(inference_request, tmp_path):
    with pytest.raises(ValueError, match="shard 2 of 2: it must be at least 0 and below the number of shards"):
        inference_request(tmp_path, shard=2, shards=2)


def test_rows_that_cannot_be_written_leave_the_file_as_it_was(tmp_path):
    path = tmp_path / ROWS
    write_rows(path, [row_number(0)])

    def broken():
        yield row_number(1)
        raise KilledError

    with pytest.raises(KilledError):
        write_rows(path, broken())
    assert read_rows(path) == [row_number(0)]
