import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.evaluation.predictions import read_predictions
from videoguard.inference.rows import AnswerRow, write_rows

ROW = {
    "video_path": "videos/a.mp4",
    "question": "Which exercise?",
    "ground_truth": "squat - go lower",
    "prediction": "squat - lower",
}


def write(folder: Path, rows: list[Any], suffix: str = ".json") -> Path:
    path = folder / f"predictions{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".parquet"])
def test_a_file_of_the_seeds_is_read_however_it_is_carried(tmp_path: Path, suffix: str) -> None:
    rows = [ROW, {**ROW, "video_path": "videos/b.mp4", "prediction": "=1+1"}, {**ROW, "ground_truth": "نعم 🏋️"}]
    found = read_predictions(write(tmp_path, rows, suffix))
    assert [row.id for row in found.rows] == ["videos/a.mp4", "videos/b.mp4", "videos/a.mp4 #2"]
    assert [row.answer for row in found.rows] == ["squat - lower", "=1+1", "squat - lower"]
    first = found.rows[0]
    assert (first.group, first.label, first.question) == ("videos/a.mp4", "squat", "Which exercise?")
    assert found.rows[2].reference == "نعم 🏋️"
    assert (found.base_rows, found.problems, found.total) == (None, [], 3)


def test_our_own_rows_come_back_as_they_are(tmp_path: Path) -> None:
    rows = [
        AnswerRow(
            id="s1", video="a.mp4", group="g", label="squat", question="q", reference="squat - x", status="ok", answer="y",
            mean_token_logprob=-0.5, new_tokens=3, latency_s=0.2,
        ),
        AnswerRow(
            id="s2", video=None, group="g", label=None, question="q", reference="", status="failed", error="out of memory"
        ),
    ]  # fmt: skip
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_predictions(tmp_path / "rows.jsonl").rows == rows


def test_what_failed_is_no_answer(tmp_path: Path) -> None:
    rows = [
        {**ROW, "status": "error", "error": "CUDA out of memory"},
        {**ROW, "prediction": None},
        {**ROW, "prediction": ""},
        {**ROW, "status": "success", "prediction": ""},
        {**ROW, "prediction": "", "error": "decoding failed"},
    ]
    found = read_predictions(write(tmp_path, rows)).rows
    assert [(row.status, row.answer, row.error) for row in found] == [
        ("failed", None, "CUDA out of memory"),
        ("failed", None, "no answer was recorded"),
        ("ok", "", None),
        ("ok", "", None),
        ("failed", None, "decoding failed"),
    ]


def test_in_a_table_an_empty_cell_is_an_empty_answer_only_where_the_status_says_so(tmp_path: Path) -> None:
    rows = [{**ROW, "prediction": "", "status": "ok"}, {**ROW, "prediction": "", "status": ""}]
    found = read_predictions(write(tmp_path, rows, ".csv")).rows
    assert [row.answer for row in found] == ["", None]


def test_base_predictions_are_rows_of_their_own(tmp_path: Path) -> None:
    rows = [{**ROW, "base_prediction": "lunge"}, {**ROW, "base_prediction": None, "status": "failed"}]
    found = read_predictions(write(tmp_path, rows))
    assert found.base_rows is not None
    assert [row.id for row in found.base_rows] == [row.id for row in found.rows]
    assert [(row.status, row.answer) for row in found.base_rows] == [("ok", "lunge"), ("failed", None)]


def test_rows_that_cannot_be_read_are_listed_and_the_others_read(tmp_path: Path) -> None:
    rows = [ROW, "text", {"video_path": "x"}, {**ROW, "prediction": 5}, {**ROW, "status": "maybe"}]
    rows.append({**ROW, "id": "videos/a.mp4"})
    found = read_predictions(write(tmp_path, rows))
    assert len(found.rows) == 1
    assert found.problems == [
        "row 2: it is str: it must be an object with an answer",
        "row 3: it has neither answer nor prediction",
        "row 4: answer is int: it must be text",
        "row 5: status is 'maybe': it must be one of ok, success, successful, succeeded, completed, failed, failure, error",
        "row 6: id 'videos/a.mp4' is that of an earlier row: ids must be unique",
    ]


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    found = read_predictions(write(tmp_path, [ROW] * 5), limit=2)
    assert (len(found.rows), found.total) == (2, 5)


@pytest.mark.parametrize("text", ["[]", "", "\n"])
def test_no_rows_are_no_fault(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text, encoding="utf-8")
    assert read_predictions(path).rows == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"video_path": "a"}]', "row 1: it has neither answer nor prediction"),
        ('[{"prediction": "a"', "is cut off"),
        ('{"prediction": ', r"^predictions .* is cut off"),
    ],
)
def test_a_file_that_holds_no_row_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "predictions.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=words):
        read_predictions(path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="do not exist"):
        read_predictions(tmp_path / "absent.json")
    with pytest.raises(UserError, match="is a folder"):
        read_predictions(tmp_path)


cells = st.none() | st.text(max_size=8) | st.integers() | st.lists(st.none(), max_size=1)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["id", "video_path", "ground_truth", "prediction", "status", "error", "x"]), cells),
        min_size=1,
        max_size=6,
    )
)
def test_every_row_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    path = write(tmp_path_factory.mktemp("predictions"), rows)
    try:
        found = read_predictions(path)
    except UserError:
        # None of them can be read.
        return
    assert len(found.rows) + len(found.problems) == len(rows)
    assert len({row.id for row in found.rows}) == len(found.rows)
    assert all((row.answer is None) == (row.status == "failed") for row in found.rows)
