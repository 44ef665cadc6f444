"""The quickstart, for real: what it comes to, where it writes, and what a second run does not do again."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.waiting import wait_until
from videoguard.evaluation.scores import Evaluation, read_evaluation
from videoguard.inference.rows import read_rows
from videoguard.recipes import flatten, load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]

STEPS = {
    "videos": 1,
    "manifest": 1,
    "frames": 8,
    "frames index": 1,
    "dataset": 1,
    "base model": 1,
    "inference": 2,
    "evaluation": 2,
    "training": 1,
    "registry": 1,
    "comparison": 1,
    "promotion": 1,
    "record": 1,
    "report": 1,
    "publish": 1,
}


def cached_but(*again: str) -> dict[str, list[str]]:
    """States of a run in which all is reused but these steps, and the videos, which look for themselves."""
    states = {step: ["Cached"] * times for step, times in STEPS.items()}
    for step in ("videos", *again):
        states[step].remove("Cached")
        states[step].append("Completed")
    return states


def run_again(workspace, *overrides: str) -> dict[str, Any]:
    arguments = [part for override in overrides for part in ("--set", override)]
    ended = workspace.call("video-guard", "run", "configs/quickstart.yaml", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    summary: dict[str, Any] = json.loads(ended.stdout)
    return summary


def without_steps(summary: dict[str, Any]) -> dict[str, Any]:
    """What a run came to, whatever it took."""
    return {name: value for name, value in summary.items() if name != "steps"}


def evaluations(workspace, rows: int) -> dict[str, Evaluation]:
    """The stored evaluations of base and adapter: the adapter's is the better one."""
    found = [read_evaluation(folder) for folder in (workspace.state / "artifacts/evaluation").glob("[!.]*")]
    found = [evaluation for evaluation in found if len(evaluation.rows) == rows]
    found.sort(key=lambda evaluation: evaluation.summary["exercise_accuracy"].mean or 0.0)
    return {"base": found[0], "fine_tuned": found[-1]}


def answer_files(workspace, rows: int) -> list[Path]:
    """The stored answers of base and adapter."""
    files = (workspace.state / "artifacts/inference").glob("[!.]*/rows.jsonl")
    return [file for file in files if len(read_rows(file)) == rows]


def counts_in_mlflow(workspace) -> tuple[int, int]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{workspace.state}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return len(client.search_runs(experiments)), len(client.search_model_versions())


def test_the_adapter_knows_the_exercises_and_the_base_does_not(quickstart):
    scores = quickstart.summary["scores"]
    base, tuned = (scores[model]["exercise_accuracy"] for model in ("base", "fine_tuned"))
    assert (base["n"], base["unscored"]) == (tuned["n"], tuned["unscored"])
    assert tuned["n"] >= 100
    assert tuned["mean"] >= 0.9
    assert base["mean"] <= 0.5
    for metric in ("bert_similarity", "rouge_l"):
        assert scores["fine_tuned"][metric]["mean"] > scores["base"][metric]["mean"]


def test_the_summary_tells_what_was_used(quickstart):
    summary = quickstart.summary
    assert sum(summary["rows"].values()) == 24 * 31
    assert summary["rows"]["test"] == summary["scores"]["fine_tuned"]["exercise_accuracy"]["n"]
    assert (summary["quarantine"], summary["problems"], summary["failed_rows"]) == ({}, [], 0)
    assert "Traceback" not in quickstart.stderr
    assert "training" in quickstart.stderr


def test_the_workbook_says_what_the_evaluation_found(workspace, quickstart):
    summary = quickstart.summary
    book = load_workbook(workspace.folder / summary["workbook"])
    found = evaluations(workspace, summary["rows"]["test"])

    lines = book["Summary"].iter_rows(values_only=True)
    headline = {str(row[1]): row for row in lines if row[1] in summary["scores"]["base"]}
    assert headline.keys() == summary["scores"]["base"].keys()
    for metric, row in headline.items():
        for model, column in (("base", 2), ("fine_tuned", 6)):
            figures = found[model].summary[metric]
            assert figures.model_dump() == summary["scores"][model][metric]
            shown = None if row[column] == "–" else row[column]
            assert shown == (None if figures.mean is None else pytest.approx(figures.mean, abs=1e-12))
            assert (row[column + 2], row[column + 3]) == (figures.n, figures.unscored)

    header, *shown_lines = book["Results"].iter_rows(values_only=True)
    column = header.index("BERT similarity")
    wanted = {row.id: row.scores["bert_similarity"] for row in found["fine_tuned"].rows}
    assert {line[0]: line[column] for line in shown_lines} == pytest.approx(wanted)

    facts = {row[0]: row[1] for row in book["Run"].iter_rows(values_only=True)}
    assert facts["How to reproduce"] == "video-guard run configs/quickstart.yaml"
    assert facts["MLflow run"] == summary["run_id"]
    assert facts["Decision"] == "promoted"
    assert facts["Reason 1"] == summary["promotion"]["reasons"][0]


def test_mlflow_has_the_run_with_settings_curves_scores_model_and_workbook(workspace, quickstart, tmp_path):
    from mlflow import MlflowClient

    summary = quickstart.summary
    client = MlflowClient(summary["tracking_uri"])
    run = client.get_run(summary["run_id"])
    assert run.info.status == "FINISHED"
    config = load_recipe(workspace.folder / "configs/quickstart.yaml")
    settings = flatten(config.model_dump(mode="json"))
    assert {name: run.data.params[name] for name in settings} == {name: str(value) for name, value in settings.items()}

    below = {
        each.data.tags.get("video_guard.model", "training"): each
        for each in client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{summary['run_id']}'")
    }
    assert below.keys() == {"training", "base", "fine_tuned"}
    assert {each.info.status for each in below.values()} == {"FINISHED"}
    training = below.pop("training")
    losses = client.get_metric_history(training.info.run_id, "train_loss")
    assert len(losses) > 10
    assert losses[-1].value < losses[0].value
    # Seen while the training went on, not written at its end: seconds lie between the first and the last.
    assert losses[-1].timestamp - losses[0].timestamp > 1000
    assert len(client.get_metric_history(training.info.run_id, "validation_loss")) >= 5
    for model, scores in summary["scores"].items():
        for metric, figures in scores.items():
            assert run.data.metrics.get(f"{model}.{metric}") == (
                None if figures["mean"] is None else pytest.approx(figures["mean"])
            )
    # The recipe scores labels: how far their probabilities can be trusted is told of both models.
    assert summary["calibration"].keys() == summary["scores"].keys()
    for model, found in summary["calibration"].items():
        for figure in ("calibration_error", "brier"):
            assert run.data.metrics[f"{model}.{figure}"] == pytest.approx(found[figure])
    assert len(client.get_metric_history(training.info.run_id, "system/cpu_utilization_percentage")) >= 1
    kept = {item.path for item in client.list_artifacts(training.info.run_id, "training")}
    assert kept == {"training/curves.png", "training/log.jsonl"}
    # The report that another test made of the same run belongs to it too.
    reports = {item.path for item in client.list_artifacts(summary["run_id"], "report")}
    assert f"report/{Path(summary['workbook']).name}" in reports
    # The models' answers as tables of one name, which the page puts side by side.
    for model, evaluated in below.items():
        table = json.loads(Path(client.download_artifacts(evaluated.info.run_id, "answers.json", str(tmp_path))).read_text())
        assert table["columns"][:4] == ["id", "answer", "wanted", "question"]
        assert len(table["data"]) == summary["rows"]["test"]
        column = table["columns"].index("exercise_accuracy")
        right = [line[column] for line in table["data"]]
        mean = summary["scores"][model]["exercise_accuracy"]["mean"]
        assert sum(right) / len(right) == pytest.approx(mean) == evaluated.data.metrics["exercise_accuracy"]
        assert evaluated.inputs is not None
        assert [used.dataset.name for used in evaluated.inputs.dataset_inputs] == ["quickstart/test"]

    version = client.get_model_version(summary["registered_model"], summary["version"])
    assert version.run_id == training.info.run_id
    decided = summary["promotion"]
    assert version.tags.keys() >= {"base_model", "base_digest", "adapter_digest"}
    # The first version that is better than the base model is champion; a second run does not put it to the test again.
    assert (decided["outcome"], decided["against"], version.aliases) == ("promoted", None, ["champion"])
    assert version.tags["promotion.reasons"] == run.data.tags["promotion.reasons"] == "\n".join(decided["reasons"])
    assert training.outputs is not None
    (logged,) = training.outputs.model_outputs
    # Its scores, with the data that they were measured on, are the model's own too.
    measured = client.get_logged_model(logged.model_id).metrics or []
    figures = {(metric.key, metric.dataset_name): metric.value for metric in measured}
    accuracy = summary["scores"]["fine_tuned"]["exercise_accuracy"]["mean"]
    assert figures["exercise_accuracy", "quickstart/test"] == pytest.approx(accuracy)


def test_the_registered_version_answers_as_it_did_in_the_evaluation(workspace, quickstart, monkeypatch):
    import mlflow
    import pandas as pd

    summary = quickstart.summary
    accurate = {
        row.id
        for row in evaluations(workspace, summary["rows"]["test"])["fine_tuned"].rows
        if row.scores["exercise_accuracy"] == 1.0
    }
    answers = [read_rows(path) for path in answer_files(workspace, summary["rows"]["test"])]
    tuned = max(answers, key=lambda rows: sum(row.id in accurate and str(row.label) in str(row.answer) for row in rows))[:4]

    monkeypatch.chdir(workspace.folder)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(summary["tracking_uri"])
    try:
        model = mlflow.pyfunc.load_model(f"models:/{summary['registered_model']}/{summary['version']}")
    finally:
        mlflow.set_tracking_uri(before)
    videos = [str(workspace.folder / "data/quickstart" / row.video) for row in tuned]
    table = model.predict(pd.DataFrame({"video": videos, "question": [row.question for row in tuned]}))
    assert list(table["answer"]) == [row.answer for row in tuned]


def test_nothing_is_written_outside_of_the_state_the_data_and_the_reports(workspace, quickstart):
    assert sorted(path.relative_to(workspace.home).as_posix() for path in workspace.home.rglob("*")) == []
    assert sorted(path.name for path in workspace.folder.iterdir()) == [
        ".video-guard",
        "configs",
        "data",
        "flows",
        "prefect.toml",
        "prefect.yaml",
        "reports",
    ]


def require_states(server, wanted: dict[str, list[str]]) -> None:
    """The server hears of task runs in the background, also after their flow run has ended."""
    with suppress(AssertionError):
        wait_until(lambda: server.last_states() == wanted)
    assert server.last_states() == wanted


def test_a_second_run_computes_nothing(server, quickstart):
    stored, known = server.artifacts(), counts_in_mlflow(server)
    summary = run_again(server)
    assert without_steps(summary) == without_steps(quickstart.summary)
    assert {(step["computed"], step["seconds"]) for step in summary["steps"]} == {(0, 0.0)}
    assert sum(step["saved_seconds"] for step in summary["steps"]) > 60
    require_states(server, cached_but())
    assert server.artifacts() == stored
    assert counts_in_mlflow(server) == known


def test_a_changed_threshold_makes_the_report_anew_and_nothing_else(server, quickstart):
    stored, known = server.artifacts(), counts_in_mlflow(server)
    summary = run_again(server, "report.bands.meteor={green: 0.99, yellow: 0.98}")
    require_states(server, cached_but("report", "publish"))
    new = server.artifacts()
    assert {name: new[name] for name in stored} == stored
    assert {name.partition("/")[0] for name in new.keys() - stored.keys()} == {"report", "publish"}
    assert counts_in_mlflow(server) == known
    assert summary["scores"] == quickstart.summary["scores"]
    assert summary["workbook"] != quickstart.summary["workbook"]
    book = load_workbook(server.folder / summary["workbook"])
    lines = {row[1]: row for row in book["Summary"].iter_rows(values_only=True)}
    assert lines["meteor"][12] == "green ≥ 0.99, yellow ≥ 0.98"


def test_a_lost_workbook_is_written_again(server, quickstart):
    workbook = server.folder / quickstart.summary["workbook"]
    before = workbook.read_bytes()
    workbook.unlink()
    assert without_steps(run_again(server)) == without_steps(quickstart.summary)
    assert workbook.read_bytes() == before
    require_states(server, cached_but("report"))
