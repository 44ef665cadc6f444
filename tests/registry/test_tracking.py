"""MLflow runs in a real database."""

from pathlib import Path

from videoguard.config import RegistrySection
from videoguard.recipes import flatten, load_recipe
from videoguard.registry.tracking import Tracking


def test_a_run_has_its_settings_tags_and_end(tracking):
    run_id = tracking.start_run(
        "trial", {"training.epochs": 2, "model.base": None, "lora.targets": ("q",)}, {"digest": "abc"}
    )
    assert tracking.client.get_run(run_id).info.status == "RUNNING"
    tracking.finish(run_id, succeeded=True)

    run = tracking.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "trial"
    assert run.data.params == {"training.epochs": "2", "model.base": "None", "lora.targets": "('q',)"}
    assert run.data.tags["digest"] == "abc"


def test_a_failed_run_is_marked(tracking):
    run_id = tracking.start_run("trial", {}, {})
    tracking.finish(run_id, succeeded=False)
    assert tracking.client.get_run(run_id).info.status == "FAILED"


def test_metrics_are_seen_step_by_step_while_the_run_goes_on(tracking):
    run_id = tracking.start_run("trial", {}, {})
    for step, loss in ((1, 2.5), (2, 1.5), (3, 0.5)):
        tracking.log_metrics(run_id, {"train_loss": loss, "learning_rate": 0.1}, step)
        history = tracking.client.get_metric_history(run_id, "train_loss")
        assert (history[-1].step, history[-1].value) == (step, loss)
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.5), (2, 1.5), (3, 0.5)]
    tracking.log_metrics(run_id, {})


def test_files_lie_in_the_state_folder(tracking, workspace, tmp_path):
    run_id = tracking.start_run("trial", {}, {})
    (tmp_path / "book.xlsx").write_bytes(b"book")
    tracking.log_files(run_id, [tmp_path / "book.xlsx"], "report")
    stored = list((workspace / "state/mlartifacts").rglob("book.xlsx"))
    assert [path.read_bytes() for path in stored] == [b"book"]
    assert [item.path for item in tracking.client.list_artifacts(run_id, "report")] == ["report/book.xlsx"]


def test_the_experiment_is_made_once_and_found_again(tracking, workspace):
    state = workspace / "state"
    again = Tracking(RegistrySection().uri(state), "exercises", state)
    other = Tracking(RegistrySection().uri(state), "other", state)
    assert again.experiment_id == tracking.experiment_id != other.experiment_id


def test_every_setting_of_a_recipe_is_logged_and_a_very_long_one_is_cut(tracking):
    recipe = Path(__file__).parents[2] / "configs/quickstart.yaml"
    settings = flatten(load_recipe(recipe, [f"report.title={'t' * 20_000}"]).model_dump(mode="json"))
    run_id = tracking.start_run("trial", settings, {})
    params = tracking.client.get_run(run_id).data.params
    assert params.keys() == settings.keys()
    assert set(params["report.title"]) == {"t"}
    assert len(params["report.title"]) == 6000


def test_more_settings_than_a_call_of_mlflow_takes_are_all_logged(tracking):
    settings = {f"section.key_{number}": number for number in range(250)}
    run_id = tracking.start_run("trial", settings, {})
    assert tracking.client.get_run(run_id).data.params == {name: str(value) for name, value in settings.items()}
