"""Evaluations in MLflow: a run a model below the recipe's run, with its scores and a table of its answers."""

from collections.abc import Mapping, Sequence

from mlflow.entities import RunStatus

from videoguard.evaluation.scores import Evaluation
from videoguard.inference.rows import AnswerRow
from videoguard.registry.request import NewRun
from videoguard.registry.tracking import Tracking

TABLE = "answers.json"
"""The same name in every run: MLflow puts tables of one name side by side."""
_RESULTS = "video_guard.results"


def open_recipe_run(tracking: Tracking, new: NewRun, trained_in: str | None, results: str) -> str:
    """The recipe's run that has, or gets, these results; its id.

    It is the one that has them already, else the one that the adapter was trained in where it has no others yet, else a
    new one: the same adapter, scored otherwise, is another run.

    Args:
        tracking: the experiment.
        new: the run to make where none is there.
        trained_in: the recipe's run that the adapter was trained in.
        results: digest of all that was found.
    """
    found = tracking.find_run({_RESULTS: results})
    if found is not None:
        return found
    run_id = trained_in
    if run_id is None or not tracking.has_run(run_id) or _RESULTS in tracking.tags_of(run_id):
        run_id = tracking.open_run(new)
    tracking.log_tags(run_id, {_RESULTS: results})
    return run_id


def log_evaluation(
    tracking: Tracking,
    parent: str,
    new: NewRun,
    rows: Sequence[AnswerRow],
    evaluation: Evaluation,
    *,
    identity: Mapping[str, str],
    model_id: str | None = None,
) -> str:
    """Log what one model answered and how it was scored, as a run below `parent`; its id.

    Where MLflow has that run whole, nothing is logged again.

    Args:
        tracking: the experiment.
        parent: id of the recipe's run.
        new: the run to make.
        rows: the model's answers.
        evaluation: their scores.
        identity: tags by which the run is told from its sisters.
        model_id: the logged model that answered, which gets the scores too; None for a base model.
    """
    found = tracking.find_run(identity, parent)
    if found is not None and tracking.status_of(found) == RunStatus.to_string(RunStatus.FINISHED):
        return found
    run_id = found or tracking.open_run(new, parent)
    on = new.data[0] if new.data else None
    tracking.log_data(run_id, (), model_id)
    tracking.log_metrics(run_id, figures_of(evaluation), model_id=model_id, on=on)
    tracking.log_metrics(run_id, _counts_and_intervals(evaluation))
    tracking.log_table(run_id, answers_table(rows, evaluation), TABLE)
    tracking.finish(run_id, succeeded=True)
    return run_id


def figures_of(evaluation: Evaluation) -> dict[str, float]:
    """The mean of each metric that scored a row, and how far label probabilities can be trusted."""
    figures = {metric: found.mean for metric, found in evaluation.summary.items() if found.mean is not None}
    return figures if evaluation.calibration is None else figures | evaluation.calibration.headline


def answers_table(rows: Sequence[AnswerRow], evaluation: Evaluation) -> dict[str, list[object]]:
    """Columns of the table: the sample, what was answered, wanted and asked, each score, and why there is none.

    MLflow's page groups by the first column and compares the second, where nobody chooses.
    """
    scored = {row.id: row for row in evaluation.rows}
    table: dict[str, list[object]] = {
        "id": [row.id for row in rows],
        "answer": [row.answer if row.answer is not None else "" for row in rows],
        "wanted": [row.reference for row in rows],
        "question": [row.question for row in rows],
    }
    for metric in evaluation.summary:
        table[metric] = [scored[row.id].scores.get(metric) if row.id in scored else None for row in rows]
    table["error"] = [row.error or "" for row in rows]
    return table


def _counts_and_intervals(evaluation: Evaluation) -> dict[str, float]:
    """Beside each mean: how many rows are in it, how many are not, and its 95 % interval."""
    flat: dict[str, float] = {}
    for metric, found in evaluation.summary.items():
        figures = {"n": found.n, "unscored": found.unscored, "ci_low": found.ci_low, "ci_high": found.ci_high}
        flat |= {f"{metric}.{name}": float(value) for name, value in figures.items() if value is not None}
    return flat
