"""What the terminal shows of a run."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from commands.standing import Standing
from commands.terminal import RunDisplay, print_summary
from videoguard.evaluation.scores import MetricSummary
from videoguard.progress import Progress, tell
from videoguard.summary import RunSummary


def scored(mean: float, n: int = 120, unscored: int = 0) -> MetricSummary:
    return MetricSummary(n=n, unscored=unscored, mean=mean, ci_low=mean - 0.05, ci_high=mean + 0.05)


def summary(**changes) -> RunSummary:
    fields = {
        "name": "trial",
        "workbook": "reports/trial.xlsx",
        "page": "reports/trial.html",
        "tracking_uri": "sqlite:////somewhere/.video-guard/mlflow.db",
        "run_id": "abc",
        "registered_model": "video-guard",
        "version": "3",
        "rows": {"train": 500, "validation": 40, "test": 124},
        "scores": {
            "base": {"exercise_accuracy": scored(0.125), "json_validity": MetricSummary(n=0, unscored=124)},
            "fine_tuned": {"exercise_accuracy": scored(0.958, n=122, unscored=2), "json_validity": scored(1.0, n=124)},
        },
        "quarantine": {},
        "problems": [],
        "failed_rows": 0,
        "steps": [
            {"step": "frames", "computed": 1, "reused": 7, "seconds": 2.04, "saved_seconds": 14.0},
            {"step": "training", "computed": 0, "reused": 1, "seconds": 0.0, "saved_seconds": 5400.0},
        ],
    }
    return RunSummary.model_validate(fields | changes)


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=140, color_system=None)


def printed(console: Console, of: RunSummary) -> str:
    print_summary(console, of)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_both_models_stand_side_by_side_with_interval_and_number(console):
    lines = printed(console, summary()).splitlines()
    accuracy = next(line for line in lines if "exercise_accuracy" in line)
    assert "0.125 [0.075, 0.175] n=120" in accuracy
    assert "0.958 [0.908, 1.008] n=122, 2 unscored" in accuracy
    assert "+0.833" in accuracy
    validity = next(line for line in lines if "json_validity" in line)
    assert "none scored (124)" in validity
    assert "+" not in validity
    assert lines[0].strip() == "trial: train 500, validation 40, test 124"


@pytest.mark.parametrize(
    ("outcome", "against", "complete"), [("held back", "2", True), ("undecided", "2", False), ("undecided", None, True)]
)
def test_what_became_of_the_version_stands_below_it_with_its_reasons(console, outcome, against, complete):
    decided = {"outcome": outcome, "model": "video-guard", "version": "3", "against": against, "metric": "rouge_l"}
    found = summary(promotion={**decided, "reasons": ["rouge_l 0.900 to 0.800 [it has not risen]", "another"]})
    lines = [line.strip() for line in printed(console, found).splitlines()]
    opponent = "version 2, the champion" if against else "the base model, there being no champion"
    place = lines.index(f"Promotion  {outcome}, tested against {opponent}")
    assert lines[place + 1 : place + 3] == ["rouge_l 0.900 to 0.800 [it has not risen]", "another"]
    assert found.complete == complete


def test_a_compared_run_tells_whether_the_difference_is_shown(console):
    pair = {"first": "base", "second": "fine_tuned", "unscored": 0}
    compared = {
        "models": ["base", "fine_tuned"],
        "samples": 124,
        "pairs": [
            {
                **pair,
                "metric": "exercise_accuracy",
                "n": 122,
                "difference": 0.75,
                "p_value": 1e-9,
                "p_corrected": 2e-9,
                "verdict": "better",
            },
            {**pair, "metric": "json_validity", "n": 0},
        ],
    }
    lines = printed(console, summary(comparison=compared)).splitlines()
    accuracy = next(line for line in lines if "exercise_accuracy" in line)
    # Over the samples that both have scored, which the difference of the two means is not.
    assert "+0.750" in accuracy
    assert "< 0.001" in accuracy
    assert next(line for line in lines if "json_validity" in line).count("+") == 0


def test_what_was_computed_and_what_was_reused_is_told_with_the_time_saved(console):
    lines = [line.replace("│", " ").split() for line in printed(console, summary()).splitlines()]
    assert ["steps:", "1.5", "h", "saved", "by", "what", "was", "stored"] in lines
    assert ["frames", "1", "7", "2.0", "s", "14.0", "s"] in lines
    assert ["training", "1", "1.5", "h"] in lines


def test_a_step_that_starts_says_so_until_it_tells_more(console):
    assert isinstance(console.file, StringIO)
    with RunDisplay(console):
        tell(Progress("training", 0, 0, "starting"))
    assert "starting" in console.file.getvalue()
    with RunDisplay(console):
        tell(Progress("training", 0, 0, "starting"))
        tell(Progress("training", 1, 8))
    assert "starting" not in console.file.getvalue().rpartition("1/8")[2]


def test_the_parts_of_a_step_add_up_to_one_bar(console):
    with RunDisplay(console):
        tell(Progress("frames", 3, 12, part="a"))
        tell(Progress("frames", 2, 8, part="b"))
    assert isinstance(console.file, StringIO)
    assert "5/20" in console.file.getvalue()


def test_the_user_is_told_where_to_look(console):
    text = printed(console, summary())
    assert "reports/trial.xlsx" in text
    assert "reports/trial.html" in text
    assert "video-guard, version 3" in text
    assert "MLflow     after `video-guard up`  (sqlite:////somewhere/.video-guard/mlflow.db)" in text
    assert "Prefect    after `video-guard up`" in text
    assert "Left out" not in text


def test_what_is_up_is_named_by_its_address(console):
    addresses = {"prefect": "http://127.0.0.1:4200", "mlflow": "http://127.0.0.1:5001"}
    standing = Standing(pid=1, since=datetime(2026, 1, 1, tzinfo=UTC), **addresses)
    print_summary(console, summary(), standing)
    text = console.file.getvalue()
    assert "MLflow     http://127.0.0.1:5001  (sqlite:" in text
    assert "Prefect    http://127.0.0.1:4200\n" in text


def test_an_mlflow_server_is_named_by_its_address(console):
    assert "MLflow     http://tracking.lan:5000" in printed(console, summary(tracking_uri="http://tracking.lan:5000"))


def test_what_was_left_out_is_told_by_name_and_reason(console):
    text = printed(
        console,
        summary(quarantine={"a[1].mp4": "the file is empty"}, problems=["row 3, video: is missing"], failed_rows=2),
    )
    assert "Left out (quarantined): 1\n  a[1].mp4: the file is empty\n" in text
    assert "Manifest rows that could not be read: 1\n  row 3, video: is missing\n" in text
    assert "2 answers failed: see the sheet Errors of the workbook" in text


def test_a_long_list_is_cut_and_says_so(console):
    text = printed(console, summary(problems=[f"row {number}, video: is missing" for number in range(23)]))
    assert "row 19," in text
    assert "row 20," not in text
    assert "… and 3 more: see the sheet Errors of the workbook" in text


@pytest.mark.parametrize(
    ("changes", "complete"),
    [({}, True), ({"quarantine": {"a": "b"}}, False), ({"problems": ["row"]}, False), ({"failed_rows": 1}, False)],
)
def test_a_run_is_complete_where_nothing_is_missing(changes, complete):
    assert summary(**changes).complete is complete


def test_the_display_shows_each_step_and_its_note(console):
    with RunDisplay(console):
        tell(Progress("frames", 3, 12))
        tell(Progress("training", 5, 10, "train loss 0.25"))
        tell(Progress("frames", 12, 12))
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert "frames" in shown
    assert "12/12" in shown
    assert "train loss 0.25" in shown
    tell(Progress("late", 1, 1))
    assert "late" not in console.file.getvalue()
