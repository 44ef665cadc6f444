"""`video-guard score` and `compare`: files in, numbers and a workbook out."""

import json
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner, Result

from commands.main import app
from videoguard.artifacts.records import Provenance
from videoguard.artifacts.store import ArtifactStore
from videoguard.errors import UserError
from videoguard.inference.rows import AnswerRow, write_rows

QUICK = ["--set", "evaluation.metrics=[rouge_l, exercise_accuracy, answer_words]"]


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def seed_rows(number: int = 12, right: int = 9) -> list[dict[str, Any]]:
    names = ("squat", "plank", "lunge")
    return [
        {
            "video_path": f"videos/{at:02d}.mp4",
            "question": "Which exercise?",
            "ground_truth": f"{names[at % 3]} - go lower",
            "prediction": f"{names[at % 3] if at < right else 'jump'} - go lower",
        }
        for at in range(number)
    ]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return str(path)


def test_a_file_of_predictions_is_scored_in_its_order_without_a_model(tmp_path: Path) -> None:
    rows = seed_rows()
    rows[4] |= {"status": "error", "prediction": None, "error": "CUDA out of memory"}
    rows[5] |= {"ground_truth": None}
    out = tmp_path / "out.xlsx"
    ended = call("score", write(tmp_path / "p.json", rows), "--out", str(out), "--json", *QUICK)
    assert ended.exit_code == 1
    found = json.loads(ended.stdout)
    assert [row["id"] for row in found["rows"]] == [row["video_path"] for row in rows]
    failed, unwanted = found["rows"][4], found["rows"][5]
    assert (failed["status"], failed["error"], set(failed["scores"].values())) == ("failed", "CUDA out of memory", {None})
    assert unwanted["scores"] == {"rouge_l": None, "exercise_accuracy": None, "answer_words": 3.0}
    assert unwanted["unscored"]["rouge_l"] == "the wanted answer is empty"
    accuracy = found["summary"]["exercise_accuracy"]
    assert (accuracy["n"], accuracy["unscored"], accuracy["mean"]) == (10, 2, 0.7)
    assert accuracy["bands"] == {"green": 7, "yellow": 0, "red": 3}
    assert found["summary"]["answer_words"]["bands"] is None
    assert found["classes"]["exercise_accuracy"]["accuracy"] == 0.7
    assert found["partial"] is None
    assert found["workbook"] == str(out)
    assert load_workbook(out)["Results"].max_row == 13


def test_calibration_of_scored_labels_is_told_in_print_json_and_workbook(tmp_path: Path) -> None:
    told = {"group": "a", "label": "squat", "question": "?", "reference": "squat - good", "status": "ok", "answer": "squat"}
    rows = [
        AnswerRow.model_validate(
            {**told, "id": str(at), "video": f"{at}.mp4", "predicted_label": label, "label_probability": p}
        )
        for at, (label, p) in enumerate((("squat", 0.95), ("squat", 0.95), ("squat", 0.95), ("plank", 0.55)))
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    arguments = ["score", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "o.xlsx"), *QUICK]
    # 3/4 · 0.05 + 1/4 · 0.55 and (3 · 0.0025 + 0.3025) / 4
    printed = " ".join(call(*arguments).stdout.split())
    assert "calibration error 0.175, Brier score 0.07" in printed
    assert "(n=4; right 75.0%, mean probability 85.0%)" in printed
    found = json.loads(call(*arguments, "--json").stdout)["calibration"]
    assert (found["calibration_error"], found["brier"]) == (pytest.approx(0.175), pytest.approx(0.0775))
    assert "Confidence" in load_workbook(tmp_path / "o.xlsx").sheetnames


def test_base_predictions_are_compared_with(tmp_path: Path) -> None:
    rows = [{**row, "base_prediction": "jump - go lower"} for row in seed_rows()]
    path, out = write(tmp_path / "p.json", rows), str(tmp_path / "o.xlsx")
    found = json.loads(call("score", path, "--out", out, "--json", *QUICK).stdout)
    pair = next(pair for pair in found["comparison"]["pairs"] if pair["metric"] == "exercise_accuracy")
    assert (pair["better"], pair["equal"], pair["worse"], pair["verdict"]) == (9, 3, 0, "better")
    assert found["base"]["summary"]["exercise_accuracy"]["mean"] == 0.0
    printed = call("score", path, "--out", out, *QUICK).stdout
    assert "Predictions against Base predictions" in printed
    assert "9 / 3 / 0" in printed


def test_a_part_of_the_rows_says_so_in_print_json_and_workbook(tmp_path: Path) -> None:
    path, out = write(tmp_path / "p.json", seed_rows()), tmp_path / "o.xlsx"
    assert (
        json.loads(call("score", path, "--limit", "5", "--out", str(out), "--json", *QUICK).stdout)["partial"] == "limit=5"
    )
    book = load_workbook(out)
    assert any("limit=5" in str(cell.value) for row in book["Summary"].iter_rows() for cell in row)
    assert "Partial run: limit=5" in out.with_suffix(".html").read_text(encoding="utf-8")
    assert "Partial (limit=5): not for comparison" in call("score", path, "--limit", "5", "--out", str(out), *QUICK).stdout
    whole = call("score", path, "--limit", "12", "--out", str(out), "--json", *QUICK).stdout
    assert json.loads(whole)["partial"] is None


@pytest.mark.parametrize(
    "rows",
    [
        [],
        seed_rows(1),
        [{**row, "prediction": None} for row in seed_rows(3)],
        [{**row, "ground_truth": "squat - go"} for row in seed_rows(4)],
        [{**row, "ground_truth": None} for row in seed_rows(4)],
        [{"video_path": f"{at}.mp4", "ground_truth": f"move {at} - x", "prediction": f"move {at}"} for at in range(2000)],
        [
            {"video_path": "ا.mp4", "ground_truth": "قرفصاء - أحسنت", "prediction": "قرفصاء - جيد"},
            {"video_path": "深.mp4", "ground_truth": "深蹲 - 很好", "prediction": "深蹲 - 很好"},
            {"video_path": "🏋️.mp4", "ground_truth": "squat 🏋️ - go", "prediction": "squat 🏋️ - 👍"},
        ],
    ],
    ids=["none", "one", "all failed", "one class", "no wanted answers", "2,000 classes", "other scripts"],
)
def test_every_kind_of_file_gives_a_workbook_and_numbers_without_nan(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    out = tmp_path / "o.xlsx"
    ended = call("score", write(tmp_path / "p.json", rows), "--out", str(out), "--json", *QUICK)
    found = json.loads(ended.stdout, parse_constant=lambda constant: pytest.fail(f"{constant} in the output"))
    assert len(found["rows"]) == len(rows)
    assert load_workbook(out, read_only=True).sheetnames[0] == "Summary"
    if len(rows) == 3 and rows[0]["prediction"]:
        assert [row["scores"]["exercise_accuracy"] for row in found["rows"]] == [1.0, 1.0, 1.0]


def test_the_metrics_bands_and_own_functions_of_a_recipe_are_used(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from videoguard.evaluation.custom import metric\n"
        "@metric('vowels', scale='count', better=None)\n"
        "def vowels(predictions, references):\n"
        "    return [sum(letter in 'aeiou' for letter in answer) for answer in predictions]\n"
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: mine\nmodel: {base: some/model}\n"
        f"evaluation: {{metrics: [exact_match], custom: {tmp_path / 'mine.py'}}}\n"
        "report: {bands: {vowels: {green: 9, yellow: 3}}}\n"
    )
    path, out = write(tmp_path / "p.json", seed_rows(3)), str(tmp_path / "o.xlsx")
    found = json.loads(call("score", path, "--config", str(recipe), "--out", out, "--json").stdout)
    assert list(found["summary"]) == ["exact_match", "vowels"]
    # squat, plank and lunge have 2, 1 and 2 vowels, and "go lower" has three more.
    assert [row["scores"]["vowels"] for row in found["rows"]] == [5.0, 4.0, 5.0]
    assert found["summary"]["vowels"]["bands"] == {"green": 0, "yellow": 3, "red": 0}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("score", "absent.json"), "absent.json do not exist"),
        (("score", "{file}", "--set", "evaluation.metrics=[blue]"), "evaluation.metrics"),
        (("score", "{file}", "--set", "report.bands={blue: {green: 1, yellow: 0}}"), "report.bands.blue"),
        (("score", "{file}", "--set", "evaluation.custom=absent.py"), "absent.py is no Python file"),
        (("score", "{file}", "--set", "evaluation.metric=[bleu]"), "evaluation.metric is not a known key"),
        (("compare", "{file}"), "compare takes two models or more"),
        (("compare", "{file}", "{file}"), "is given twice"),
        (("compare", "{file}", "base"), "base stands for the base model of a registered version"),
    ],
)
def test_wrong_input_is_refused_before_any_work(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    file = write(tmp_path / "p.json", seed_rows(2))
    with pytest.raises(UserError, match=words):
        call(*(argument.replace("{file}", file) for argument in arguments))
    assert list(tmp_path.glob("*.xlsx")) == []


def test_files_are_compared_over_the_samples_that_all_have(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.json", seed_rows(12 + extra, right)) for name, right, extra in
             (("old", 2, 0), ("new", 11, 3), ("same", 2, 0))]  # fmt: skip
    out = tmp_path / "o.xlsx"
    found = json.loads(call("compare", *files, "--out", str(out), "--json", *QUICK).stdout)
    comparison = found["comparison"]
    assert (comparison["models"], comparison["samples"]) == (["old", "new", "same"], 12)
    assert comparison["left_out"] == {"old": 0, "new": 3, "same": 0}
    pairs = {(pair["first"], pair["second"]): pair for pair in comparison["pairs"] if pair["metric"] == "exercise_accuracy"}
    assert (pairs["old", "new"]["better"], pairs["old", "new"]["worse"]) == (9, 0)
    assert (pairs["old", "same"]["equal"], pairs["old", "same"]["p_value"]) == (12, 1.0)
    assert pairs["new", "same"]["verdict"] == "worse"
    assert out.is_file()


def store_answers(state: Path, rows: list[AnswerRow], *, adapter: str | None, key: str) -> None:
    """An evaluation in the store, as a run leaves it, with what it came from."""
    store = ArtifactStore(state / "artifacts")

    def make(step: str, inputs: dict[str, str], parents: tuple[Any, ...], text: str) -> Any:
        made = Provenance(step=step, code="", settings={}, inputs=inputs, parents=parents)
        with store.draft(made) as draft:
            if step == "inference":
                write_rows(draft.folder / "rows.jsonl", rows)
            else:
                (draft.folder / "content").write_text(text)
        return store.find(made)

    dataset = make("dataset", {"a": "1"}, (), "rows")
    trained = () if adapter is None else (make("training", {"a": adapter}, (), adapter),)
    answers = make("inference", {"a": key}, (dataset, *trained), "")
    make("evaluation", {"a": key}, (answers,), key)


def test_a_version_and_its_base_are_known_by_their_stored_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from videoguard.evaluation.stored import stored_answers, stored_base_answers

    rows = [
        AnswerRow(
            id=name, video=None, group=name, label=None, question="", reference="squat - x", status="ok", answer="squat"
        )
        for name in "ab"
    ]
    base = [row.model_copy(update={"answer": "jump"}) for row in rows]
    store_answers(tmp_path, base, adapter=None, key="base")
    store_answers(tmp_path, rows, adapter="one", key="tuned")
    store = ArtifactStore(tmp_path / "artifacts")
    digest = next(record.digest for record in store.records() if record.step == "training")
    assert stored_answers(tmp_path, "models:/m/1", digest) == rows
    assert stored_base_answers(tmp_path, "models:/m/1", digest) == base
    with pytest.raises(UserError, match="no answers of models:/m/2 are stored"):
        stored_answers(tmp_path, "models:/m/2", "another")
