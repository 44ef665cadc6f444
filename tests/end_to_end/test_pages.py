"""What a user sees in a browser: the pages of Prefect and MLflow, from the address that `video-guard up` prints on."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from openpyxl import load_workbook

from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, expect
else:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    Page, expect = driver.Page, driver.expect

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("quickstart")]


@pytest.fixture(scope="module")
def runs(server, quickstart) -> dict[str, str]:
    """Names of the recipe's run and of those below it, by what they are of."""
    from mlflow import MlflowClient

    client = MlflowClient(f"http://127.0.0.1:{server.mlflow_port}")
    recipe = client.get_run(quickstart.summary["run_id"])
    below = client.search_runs([recipe.info.experiment_id], f"tags.mlflow.parentRunId = '{recipe.info.run_id}'")
    names = {each.data.tags.get("video_guard.model", "training"): each.info.run_name for each in below}
    return {"experiment": recipe.info.experiment_id, "recipe": recipe.info.run_name, **names}


def test_the_run_is_found_with_its_parts_and_settings(shown, server, quickstart, runs):
    open_runs(shown, server)
    shown.get_by_role("link", name=runs["recipe"], exact=True).first.click()
    expect(shown.get_by_role("heading", name=runs["recipe"])).to_be_visible()
    for part in ("training", "base", "fine_tuned"):
        expect(shown.get_by_role("link", name=runs[part], exact=True)).to_be_visible()
    expect(shown.get_by_text("training.learning_rate", exact=True)).to_be_visible()
    expect(shown.get_by_text("fine_tuned.exercise_accuracy", exact=True).first).to_be_visible()
    expect(shown.get_by_text("quickstart/train").first).to_be_visible()


def test_the_training_has_curves(shown, server, runs):
    open_runs(shown, server)
    shown.get_by_role("link", name=runs["recipe"], exact=True).first.click()
    shown.get_by_role("link", name=runs["training"], exact=True).click()
    shown.get_by_role("tab", name="Model metrics").click()
    expect(shown.get_by_text("validation_loss", exact=True).first).to_be_visible()
    expect(shown.locator(".js-plotly-plot").first).to_be_visible()
    shown.get_by_role("tab", name="System metrics").click()
    expect(shown.get_by_text(re.compile("cpu_utilization_percentage")).first).to_be_visible()


def test_the_answers_of_both_models_stand_side_by_side(shown, server, quickstart, runs):
    # Runs of other recipes would push columns beyond the right edge, and so does the pane of the assistant.
    below = f"tags.mlflow.parentRunId = '{quickstart.summary['run_id']}' and tags.`video_guard.part` = 'evaluation'"
    open_runs(shown, server, mode="ARTIFACT", only=below)
    shown.get_by_role("link", name=runs["recipe"], exact=True).first.wait_for()
    for close in shown.get_by_role("button", name="Close", exact=True).all():
        close.click()
    # The sign before its name shows the runs below it.
    shown.locator("[role=row]", has_text=runs["recipe"]).first.get_by_role("button").first.click()
    shown.get_by_role("combobox").filter(has_text="Table").click()
    shown.get_by_role("option", name="answers.json").click()
    shown.keyboard.press("Escape")
    # A line a sample, a column a run: MLflow compares the answers where nothing else is chosen.
    expect(shown.get_by_role("combobox").filter(has_text=re.compile(r"Compare:\s*answer"))).to_be_visible()
    expect(shown.get_by_role("combobox").filter(has_text=re.compile(r"Group by:\s*id"))).to_be_visible()
    expect(shown.get_by_role("gridcell", name="videos/").first).to_be_visible()
    for model in ("base", "fine_tuned"):
        expect(shown.get_by_role("columnheader", name=runs[model]).first).to_be_visible()


def test_two_models_are_compared_by_settings_and_scores(shown, server, runs):
    from mlflow import MlflowClient

    client = MlflowClient(f"http://127.0.0.1:{server.mlflow_port}")
    chosen = [
        each.info.run_id
        for each in client.search_runs([runs["experiment"]], "tags.`video_guard.part` = 'evaluation'")
        if each.info.run_name in (runs["base"], runs["fine_tuned"])
    ][:2]
    listed = json.dumps(chosen)
    shown.goto(
        f"http://127.0.0.1:{server.mlflow_port}/#/compare-runs?runs={listed}&experiments=[%22{runs['experiment']}%22]"
    )
    expect(shown.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    expect(shown.get_by_text("exercise_accuracy", exact=True).first).to_be_attached()


def test_the_workbook_is_downloaded_and_read(shown, server, quickstart, runs, tmp_path):
    run_id, file = quickstart.summary["run_id"], Path(quickstart.summary["workbook"]).name
    shown.goto(f"http://127.0.0.1:{server.mlflow_port}/#/experiments/{runs['experiment']}/runs/{run_id}/artifacts")
    shown.get_by_text("report", exact=True).click()
    shown.get_by_text(file, exact=True).click()
    expect(shown.get_by_text(f"report/{file}", exact=True)).to_be_visible()
    with shown.expect_download() as begun:
        # The first button beside the name of the file.
        shown.get_by_text(f"report/{file}", exact=True).locator("xpath=following::button[1]").click()
    begun.value.save_as(tmp_path / file)
    book = load_workbook(tmp_path / file)
    assert {"Summary", "Results", "Comparison"} <= set(book.sheetnames)
    assert book["Results"].max_row == quickstart.summary["rows"]["test"] + 1


def test_prefect_shows_the_run_with_its_steps(shown, server, quickstart):
    # Those that the deployments have planned for the nights are no runs yet.
    ended = {"state": {"type": {"any_": ["COMPLETED"]}}}
    (flow_run,) = server.ask("flow_runs/filter", flow_runs=ended, sort="START_TIME_DESC", limit=1)
    shown.goto(f"http://127.0.0.1:{server.port}/")
    shown.get_by_role("link", name="Deployments").click()
    expect(shown.get_by_text("video-guard").first).to_be_visible()

    def comes_to_the_runs() -> bool:
        # The page of the deployments writes its own address once more when it has loaded, which undoes the step to another.
        shown.get_by_role("link", name="Runs", exact=True).click()
        shown.wait_for_timeout(1_000)
        return "/runs" in shown.url

    wait_until(comes_to_the_runs)
    shown.get_by_role("link", name=flow_run["name"]).first.click()
    expect(shown.get_by_text(flow_run["name"]).first).to_be_visible()
    expect(shown.get_by_text("Completed").first).to_be_visible()


def open_runs(page: Page, server, mode: str = "TABLE", only: str = "") -> None:
    """Go from the address that `video-guard up` prints to the runs of the experiment, all or those that a search finds."""
    pages = f"http://127.0.0.1:{server.mlflow_port}/#/experiments"
    page.goto(f"{pages}?workflowType=machine_learning")
    experiment = page.get_by_role("link", name="video-guard", exact=True).last.get_attribute("href")
    assert experiment is not None
    number = experiment.rpartition("/")[2]
    page.goto(f"{pages}/{number}/runs?compareRunsMode={mode}&workflowType=machine_learning&searchFilter={quote(only)}")
