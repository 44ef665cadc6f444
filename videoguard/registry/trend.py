"""The trend: one MLflow run that holds the scores of all nights of a recipe, a step a night."""

from collections.abc import Sequence
from pathlib import Path

from videoguard.nights.night import Night
from videoguard.registry.tracking import CONNECTION_FAULTS, Tracking, connect

_OF = "nights_of"
"""Tag of the run: registered model and recipe."""


def log_night(uri: str, experiment: str, state: Path, night: Night, number: int, files: Sequence[Path]) -> str:
    """Log a night; the id of the run.

    Args:
        uri: of MLflow.
        experiment: that the run belongs to.
        state: state folder.
        night: its scores become metrics such as `champion.meteor`, by the name of the model and of the metric.
        number: the step: how many nights there are.
        files: go among the artifacts of the run, into a folder of the night's date.

    Raises:
        OSError: MLflow does not answer.
    """
    tracking = connect(uri, experiment, state)
    try:
        run_id = _run(tracking, night)
        figures = {
            f"{name}.{metric}": found.mean
            for name, model in night.asked.items()
            for metric, found in model.scores.items()
            if found.mean is not None
        }
        counts = {"samples": float(night.samples), "computed": float(night.computed), "passed": float(night.is_good)}
        tracking.log_metrics(run_id, {**figures, **counts}, number)
        tracking.log_tags(run_id, {"last_night": night.name, "outcome": night.outcome, "reasons": "\n".join(night.reasons)})
        tracking.log_files(run_id, files, f"nights/{night.date}")
    except CONNECTION_FAULTS as fault:
        raise ConnectionError(f"MLflow at {uri} does not answer: {str(fault).strip().splitlines()[0]}") from fault
    return run_id


def _run(tracking: Tracking, night: Night) -> str:
    """The run of the trend; made for the first night."""
    of = f"{night.model}/{night.recipe}"
    asked = f"tags.{_OF} = '{of}'"
    found = tracking.client.search_runs([tracking.experiment_id], asked, order_by=["attributes.start_time ASC"])
    if found:
        return str(found[0].info.run_id)
    run_id = tracking.start_run(f"{night.recipe}: nights", {"recipe": night.recipe, "model": night.model}, {_OF: of})
    tracking.finish(run_id, succeeded=True)
    return run_id
