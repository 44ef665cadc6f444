"""Rows as JSON, JSON Lines, CSV, Parquet and folders of `datasets`: told by their content, damaged ones refused."""

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.manifests.carriers.loading import is_hub_name, load_rows
from videoguard.manifests.reading import read_manifest

ROWS = [
    {"video": "a.mp4", "question": "Which?", "answer": '{"exercise": "squat"}', "split": "train"},
    {"video": "b.mp4", "question": 'Which,\n"one"?', "answer": "lunge; deep", "split": "test"},
]


@pytest.fixture(scope="module")
def parquet_file(tmp_path_factory) -> Path:
    path: Path = tmp_path_factory.mktemp("carriers") / "list.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    path: Path = tmp_path / "saved"
    datasets.Dataset.from_list([{k: v for k, v in row.items() if k != "split"} for row in ROWS]).save_to_disk(str(path))
    return path


def answers(path: Path) -> list[str | None]:
    return [sample.answer for sample in read_manifest(path).samples]


def test_json_lines_are_told_by_their_content(tmp_path):
    path = tmp_path / "list.json"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\n\n")
    assert read_manifest(path).carrier == "jsonl"
    assert answers(path) == [row["answer"] for row in ROWS]


def test_a_damaged_line_costs_itself(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join([json.dumps(ROWS[0]), '{"video": "c.mp4", "quest', "[" * 5000, "7", json.dumps(ROWS[1])]))
    reading = read_manifest(path)
    assert [sample.video for sample in reading.samples] == ["a.mp4", "b.mp4"]
    assert [(problem.row, problem.field) for problem in reading.problems] == [(1, "row"), (2, "row"), (3, "row")]
    assert "it must be one JSON object on one line (column 20: Unterminated string" in reading.problems[0].problem


def test_one_line_is_json_lines_and_a_list_named_after_them_is_a_list(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text(json.dumps(ROWS[0]))
    assert answers(path) == [ROWS[0]["answer"]]
    path.write_text(json.dumps(ROWS))
    assert answers(path) == [row["answer"] for row in ROWS]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_have_any_delimiter(tmp_path, delimiter):
    path = tmp_path / "list.csv"
    lines = [
        ["\ufeffvideo", "question", "answer"],
        ["a.mp4", '"Which,\r\none; ""or""\ttwo?"', '"{""a"": 1}"'],
        ["b.mp4", "Which?", ""],
    ]
    path.write_bytes("\r\n".join(delimiter.join(line) for line in lines).encode())
    reading = read_manifest(path)
    assert reading.carrier == "csv"
    assert [(s.video, s.question, s.answer) for s in reading.samples] == [("a.mp4", 'Which,\r\none; "or"\ttwo?', '{"a": 1}')]
    assert [str(problem) for problem in reading.problems] == ["row 1, answer: is missing: it must be a text"]


def test_cells_may_hold_the_lists_of_a_format_and_be_long(tmp_path):
    turns = json.dumps([{"from": "human", "value": "q"}, {"from": "gpt", "value": "a" * 200_000}])
    path = tmp_path / "list.csv"
    path.write_text(f'video,conversations\na.mp4,"{turns.replace(chr(34), chr(34) * 2)}"\nb.mp4,oops\n')
    reading = read_manifest(path)
    assert [len(str(sample.answer)) for sample in reading.samples] == [200_000]
    assert str(reading.problems[0]).startswith("row 1, conversations: is 'oops': it must be a list of a human turn")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('video,question,answer\na.mp4,"open', r"is not CSV at line 2: unexpected end of data"),
        ("video,video,answer\na,b,c", r"has the header 'video,video,answer': it must name each field once"),
        ("video,,answer\na,b,c", "it must name each field once"),
        ("video,question,answer\n", "is an empty list"),
        ("video,question,answer\na.mp4,q,a,more", r"row 0, row: has 4 cells: it must have at most 3"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, content, said):
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        read_manifest(path)


def test_parquet_is_told_by_its_content(parquet_file, tmp_path):
    path = tmp_path / "list.dat"
    path.write_bytes(parquet_file.read_bytes())
    assert read_manifest(path).carrier == "parquet"
    assert answers(path) == [row["answer"] for row in ROWS]


def test_a_file_that_only_says_it_is_parquet_is_refused(tmp_path):
    path = tmp_path / "list.parquet"
    path.write_text(json.dumps(ROWS))
    with pytest.raises(UserError, match=r"is not Parquet \(it does not begin with PAR1\)"):
        read_manifest(path)


def test_a_folder_of_datasets_and_its_splits(folder, tmp_path):
    assert answers(folder) == [row["answer"] for row in ROWS]
    assert read_manifest(folder).samples[0].root == folder.parent
    parts = {
        split: datasets.load_from_disk(str(folder)).select([place]) for place, split in enumerate(["train", "validation"])
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "split"))
    reading = read_manifest(tmp_path / "split")
    assert [(s.video, s.split) for s in reading.samples] == [("a.mp4", "train"), ("b.mp4", "validation")]


@pytest.mark.parametrize(
    "damage", ["", "{}", "[]", "null", "\0", '{"_data_files": [{}]}', '{"_data_files": [{"filename": "gone"}]}']
)
@pytest.mark.parametrize("file", ["state.json", "dataset_info.json"])
def test_a_damaged_folder_is_refused(folder, file, damage):
    (folder / file).write_text(damage)
    try:
        read_manifest(folder)
    except UserError as refused:
        assert "is a damaged folder of `datasets`" in str(refused)  # noqa: PT017  # some damage does no harm


def test_a_cut_off_folder_is_refused(folder):
    (arrow,) = folder.glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:100])
    with pytest.raises(UserError, match="is a damaged folder of `datasets`"):
        read_manifest(folder)


def test_a_name_of_the_hub_is_one_that_is_nothing_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    assert is_hub_name(Path("owner/data-set"))
    for name in ("data/gone", "owner/list.json", "gone", "./owner/deep/gone", "/owner/gone", "../gone"):
        assert not is_hub_name(Path(name)), name


def test_a_data_set_that_the_hub_has_not_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match=r"data\.manifest is nobody/no-such-data: no such file, and the hub gives no such data set"
    ):
        read_manifest(Path("nobody/no-such-data"))


def test_the_digest_changes_with_the_content_alone(tmp_path, folder):
    path = tmp_path / "list.json"
    path.write_text(json.dumps(ROWS))
    digest = load_rows(path).digest
    assert load_rows(path.rename(tmp_path / "other.json")).digest == digest
    before = load_rows(folder).digest
    (folder / "state.json").write_text((folder / "state.json").read_text() + " ")
    assert load_rows(folder).digest != before


SUFFIXES = st.sampled_from([".json", ".jsonl", ".csv", ".tsv", ".parquet", ""])
# Bytes that look like one of the carriers reach further than random ones.
STARTS = st.sampled_from(
    [b"", b"[", b"{", b'[{"video": "a.mp4", ', b"PAR1", b"video,question,answer\n", b'{"a": 1}\n', b"\xef\xbb\xbf["]
)
SNIPPETS = st.sampled_from(
    [
        *(b'"conversations"', b'"messages"', b'"role"', b'"from"', b'"segments"', b'"start"', b'"path"', b'"label"'),
        *(b'"video"', b'"answer"', b'"../../x"', b":", b",", b"[", b"]", b"{", b"}", b'"', b"null", b"1e999", b"NaN"),
        *(b"\n", b"\\ud800", b"\xff", b"\0"),
    ]
)


def read_or_refuse(path: Path) -> None:
    """Read a manifest; whatever is read, or told, can be written down. Anything but a `UserError` fails the test."""
    try:
        reading = read_manifest(path)
    except UserError as refusal:
        told = [str(refusal)]
    else:
        assert reading.samples
        told = [str(problem) for problem in reading.problems]
        json.dumps([[sample.question, sample.answer, dict(sample.fields)] for sample in reading.samples], allow_nan=False)
    "\n".join(told).encode()


@settings(max_examples=500, deadline=None)
@given(st.tuples(STARTS, st.lists(SNIPPETS | st.binary(max_size=8), max_size=20)), SUFFIXES)
def test_any_bytes_are_rows_or_a_refusal(tmp_path_factory, content, suffix):
    start, snippets = content
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(start + b"".join(snippets))
    read_or_refuse(path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_parquet_is_rows_or_a_refusal(tmp_path_factory, parquet_file, data):
    content = bytearray(parquet_file.read_bytes())
    for place in data.draw(st.lists(st.integers(4, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    path.write_bytes(bytes(content if data.draw(st.booleans()) else content[:end]))
    read_or_refuse(path)


NAMES = st.sampled_from(
    [
        *(
            "video",
            "conversations",
            "messages",
            "videos",
            "images",
            "question",
            "answer",
            "from",
            "value",
            "role",
            "content",
        ),
        *(
            "type",
            "text",
            "split",
            "label",
            "labels",
            "path",
            "segments",
            "start",
            "end",
            "instruction",
            "output",
            "history",
        ),
        *("system", "input_video", "prompt", "full_video_path", "full_video_annotation", "guardrail", "clip_video_paths"),
        *("clip_video_labels", "clip_video_annotations", "video_path", "feedbacks", "labels_descriptive"),
    ]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    PLAIN | st.sampled_from(["user", "assistant", "human", "gpt", "C3", "a.mp4", "text", "video"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_row_beside_a_good_one_is_read_or_named(tmp_path_factory, row):
    path = tmp_path_factory.getbasetemp() / "rows.json"
    path.write_text(json.dumps([ROWS[0], row]))
    reading = read_manifest(path)
    assert len(reading.samples) == 2 or any(problem.row == 1 for problem in reading.problems)
    read_or_refuse(path)
