"""Killed and started again: every sample is answered once, and the answers are those of an undisturbed inference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kills import KilledError, kill_at
from videoguard.dataset.building import read_split
from videoguard.inference import infer as module
from videoguard.inference.infer import ROWS, in_shard, infer
from videoguard.inference.request import InferenceReply
from videoguard.inference.rows import AnswerRow, RowFile, read_rows, write_rows
from videoguard.subprocesses import call

BATCH = 5


def without_latency(rows: list[AnswerRow]) -> list[dict[str, object]]:
    return [row.model_dump(exclude={"latency_s"}) for row in rows]


def row_number(number: int, **fields: object) -> AnswerRow:
    made = {"id": str(number), "video": "v", "group": "0", "label": None, "question": "?", "reference": "!", "status": "ok"}
    return AnswerRow.model_validate(made | fields)


@pytest.mark.slow
def test_a_sigkill_loses_no_row_and_makes_none_twice(inference_request, answered, tmp_path):
    request = inference_request(tmp_path)
    with pytest.raises(KilledError):
        call("videoguard.inference", request, InferenceReply, threads=1, timeout_s=300.0, on_event=kill_at(1))
    assert not (request.output / ROWS).exists()
    kept = read_rows(request.work / ROWS)[:BATCH]
    events: list[dict[str, object]] = []
    reply = call("videoguard.inference", request, InferenceReply, threads=1, timeout_s=300.0, on_event=events.append)

    rows = read_rows(request.output / ROWS)
    assert rows[:BATCH] == kept
    assert without_latency(rows) == without_latency(answered[1])
    # The second batch may have been finished before the signal came.
    first = int(str(events[0]["step"]))
    assert first in (BATCH, 2 * BATCH)
    assert events[0] == {"step": first, "of": len(rows), "metrics": {}, "note": f"{first} answers kept"}
    assert reply.computed == len(rows) - first
    assert reply.new_tokens == answered[0].new_tokens


def test_what_was_answered_is_kept_and_a_torn_batch_is_answered_again(inference_request, answered, tmp_path):
    request = inference_request(tmp_path)
    with pytest.raises(KilledError):
        infer(request, kill_at(2 * BATCH))
    journal = request.work / ROWS
    kept = read_rows(journal)
    assert len(kept) == 2 * BATCH
    journal.write_bytes(journal.read_bytes()[:-10])
    reply = infer(request, lambda event: None)
    rows = read_rows(request.output / ROWS)
    assert rows[:BATCH] == kept[:BATCH]
    assert reply.computed == len(rows) - BATCH
    assert reply.seconds == pytest.approx(sum(row.latency_s or 0.0 for row in rows))
    # Also the last bits of the log-probabilities, which depend on what is in the batch.
    assert without_latency(rows) == without_latency(answered[1])


def test_no_model_is_loaded_where_nothing_is_left_to_do(inference_request, tmp_path, monkeypatch):
    request = inference_request(tmp_path)
    infer(request, lambda event: None)
    rows = read_rows(request.output / ROWS)
    (request.output / ROWS).unlink()
    for name in ("load_processor", "load_adapted", "load_model"):
        monkeypatch.setattr(module, name, lambda *arguments: pytest.fail("a model was loaded"))
    reply = infer(request, lambda event: None)
    assert (reply.rows, reply.computed) == (len(rows), 0)
    assert read_rows(request.output / ROWS) == rows


def test_rows_of_another_split_are_not_kept(inference_request, answered, tmp_path):
    request = inference_request(tmp_path)
    foreign = [row.model_copy(update={"id": f"other {row.id}"}) for row in answered[1]]
    RowFile(request.work / ROWS).append([*answered[1][:BATCH], *foreign[BATCH:]])
    reply = infer(request, lambda event: None)
    assert reply.computed == len(answered[1]) - BATCH
    assert without_latency(read_rows(request.output / ROWS)) == without_latency(answered[1])


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


ROWS_MADE = st.lists(
    st.builds(row_number, st.integers(0, 9), answer=st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
    max_size=5,
)


@given(rows=ROWS_MADE, more=ROWS_MADE, cut=st.integers(0, 400))
def test_a_file_cut_at_any_byte_keeps_its_whole_rows_and_goes_on(rows, more, cut, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / ROWS
    RowFile(path).append(rows)
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    whole = rows[: content.count(b"\n")]

    again = RowFile(path)
    assert again.rows == whole
    again.append(more)
    assert read_rows(path) == RowFile(path).rows == again.rows == [*whole, *more]
    again.cut(1)
    assert read_rows(path) == again.rows == [*whole, *more][:1]


def test_a_damaged_row_ends_what_is_kept(tmp_path):
    path = tmp_path / ROWS
    RowFile(path).append([row_number(number) for number in range(3)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"id": 1}\n' + lines[2])
    assert RowFile(path).rows == [row_number(0)]
    assert path.read_bytes() == lines[0]


def test_rows_that_cannot_be_written_leave_the_file_as_it_was(tmp_path):
    path = tmp_path / ROWS
    write_rows(path, [row_number(0)])

    def broken():
        yield row_number(1)
        raise KilledError

    with pytest.raises(KilledError):
        write_rows(path, broken())
    assert read_rows(path) == [row_number(0)]
