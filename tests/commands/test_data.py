"""`video-guard data`: what a manifest holds, and the same in another format, with the status that a script goes by."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commands.main import app
from videoguard.errors import UserError


@pytest.fixture
def data(shared: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a `data` command with the sample videos as the media root."""
    monkeypatch.setenv("COLUMNS", "100")
    return lambda command, *arguments: CliRunner().invoke(
        app, ["data", command, *map(str, arguments), "--media-root", str(shared / "data")]
    )


def refusal(result: Result) -> str:
    assert isinstance(result.exception, UserError)
    return str(result.exception)


def test_a_sound_manifest_is_counted_by_label_and_split(data, shared):
    manifest = shared / "data/manifests/conversations.json"
    result = data("check", manifest)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{manifest}: 6 samples, format conversations, carried as json",
        "label             no split given",
        "plank                          1",
        "reading                        1",
        "cooking                        1",
        "playing                        1",
        "drawing                        1",
        "flipping pancake               1",
        "all                            6",
        "media files: 6, missing 0",
    ]


def test_problems_and_missing_files_are_all_listed_with_status_1(data, shared):
    result = data("check", shared / "data/broken/mixed_rows.json", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert {name: found[name] for name in ("ok", "format", "carrier", "samples", "missing", "splits")} == {
        "ok": False,
        "format": "flat, conversations",
        "carrier": "json",
        "samples": 4,
        "missing": [],
        "splits": {"none": 4},
    }
    assert found["rows_by_format"] == {"flat": 7, "conversations": 4}
    assert [(problem["row"], problem["field"]) for problem in found["problems"]] == [
        *((1, "video"), (2, "conversations"), (3, "conversations"), (4, "question"), (4, "answer"), (5, "video")),
        *((6, "video"), (7, "row")),
    ]
    missing = data("check", shared / "data/manifests/qved_manifest.json")
    assert missing.exit_code == 1
    assert "media files: 6, missing 6\n\nMissing files: 6\n  dataset/cooking/cooking.avi\n" in missing.stdout


def test_splits_are_columns_and_unread_fields_are_told(data, tmp_path):
    row = {"question": "q", "answer": "squat - good", "meta": {"fps": 30}}
    rows = [{**row, "video": "hard/text.mp4", "split": "test"}, {**row, "video": "clips/cooking.avi", "split": "train"}]
    (tmp_path / "list.json").write_text(json.dumps([*rows, {**rows[0], "question": "[b]two[/b]", "label": "[b]"}]))
    result = data("check", tmp_path / "list.json")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()[1:5]] == [
        ["label", "test", "train", "all"],
        ["squat", "1", "1", "2"],
        ["[b]", "1", "0", "1"],
        ["all", "2", "1", "3"],
    ]
    assert "Fields that are not read: 1\n  meta: 3 rows" in result.stdout


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("cut_off.json", "is cut off at line 1, column 701"),
        ("empty.json", "is empty: it must hold a list of rows"),
        ("empty_list.json", "is an empty list: it must have at least one row"),
        ("latin1.json", "is not UTF-8 (line 1, byte 0xe9"),
        ("not_a_list.json", "holds 'hello': it must be a list of rows"),
        ("messages_wrong_roles.json", "has turns from assistant, assistant: they must be from user and assistant in turn"),
        ("absent.json", "does not exist"),
    ],
)
def test_what_is_no_manifest_is_refused(data, shared, file, said):
    assert said in refusal(data("check", shared / "data/broken" / file))


def test_a_byte_order_mark_is_no_problem(data, shared):
    assert data("check", shared / "data/broken/bom_crlf.json").exit_code == 0


def test_media_outside_are_a_problem_unless_allowed(data, shared, tmp_path):
    (tmp_path / "list.csv").write_text(f"video,label\nclips/cooking.avi,cooking\n{shared}/data/clips/cooking.avi,again\n")
    assert data("check", tmp_path / "list.csv").exit_code == 1
    assert data("check", tmp_path / "list.csv", "--allow-outside").exit_code == 0


def test_a_manifest_is_converted_and_checked_again(data, shared, tmp_path):
    out = tmp_path / "new/messages.parquet"
    result = data("convert", shared / "data/manifests/conversations.json", out, "--format", "messages")
    assert result.exit_code == 0
    assert f"{out}: 6 rows, format messages, carried as parquet" in result.stdout
    assert f"media paths stay relative to {shared / 'data'}: read it with --media-root" in result.stdout
    again = json.loads(data("check", out, "--json").stdout)
    assert (again["format"], again["carrier"], again["samples"], again["ok"]) == ("messages", "parquet", 6, True)


def test_what_the_target_cannot_hold_is_listed_with_status_1(data, shared, tmp_path):
    manifest, out = shared / "data/manifests/guard_clips.jsonl", tmp_path / "flat.jsonl"
    result = data("convert", manifest, out, "--format", "flat", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "out": str(out),
        "format": "flat",
        "carrier": "jsonl",
        "written": 6,
        "left_out": {"clips": 6, "guard": 6},
        "problems": [],
    }
    mixed = data("convert", shared / "data/broken/mixed_rows.json", tmp_path / "mixed.json")
    assert mixed.exit_code == 1
    assert "Rows that are left out: 8\n  row 1, video: is '../../../etc/passwd'" in mixed.stdout


def test_a_conversion_that_cannot_be_is_refused(data, shared, tmp_path):
    manifest, out = shared / "data/manifests/messages_images.json", tmp_path / "out.json"
    assert "can hold none of the 6 rows" in refusal(data("convert", manifest, out, "--format", "flat"))
    assert "--format is csv: it must be one of" in refusal(data("convert", manifest, out, "--format", "csv"))
    assert not out.exists()


@pytest.mark.parametrize("command", ["check", "convert"])
def test_help_shows_an_example(data, command):
    assert f"Example: video-guard data {command}" in data(command, "--help").stdout
