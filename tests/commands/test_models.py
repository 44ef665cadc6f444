"""`video-guard models`, on an MLflow database of its own."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from commands.main import app
from videoguard.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Path:
    """A state folder whose MLflow knows two versions."""
    from videoguard.config import RegistrySection
    from videoguard.registry.tracking import Tracking

    folder: Path = tmp_path_factory.mktemp("state")
    tracking = Tracking(RegistrySection().uri(folder), "walks", folder)
    tracking.client.create_registered_model("walks")
    for number, epochs in enumerate((2, 5), start=1):
        run_id = tracking.start_run(f"run {number}", {"training.epochs": epochs, "seed": 0}, {})
        tracking.log_metrics(run_id, {"fine_tuned.rouge_l": number / 4})
        tags = {"base_model": "tiny", "adapter_digest": f"digest {number}"}
        tracking.client.create_model_version("walks", source=f"s3://bucket/{number}", run_id=run_id, tags=tags)
    return folder


def models(state: Path, *arguments: str) -> str:
    found = CliRunner().invoke(app, ["models", *arguments, "--name", "walks", "--state", str(state)])
    if found.exception is not None:
        raise found.exception
    return found.stdout


def test_versions_are_promoted_listed_compared_and_rolled_back(state):
    assert models(state, "promote", "1", "--reason", "the first") == "walks: version 1 is the champion\n"
    told = json.loads(models(state, "promote", "2", "--json"))
    assert told == {"model": "walks", "champion": "2", "previous": "1"}

    listed = json.loads(models(state, "ls", "--json"))
    assert listed["aliases"] == {"champion": "2", "previous": "1"}
    assert [version["aliases"] for version in listed["versions"]] == [["previous"], ["champion"]]
    assert "promoted by hand: the first" in models(state, "ls")

    differing = json.loads(models(state, "diff", "1", "champion", "--json"))
    assert differing["versions"] == ["1", "2"]
    assert differing["setting"] == {"training.epochs": ["2", "5"]}
    assert differing["score"] == {"fine_tuned.rouge_l": [0.25, 0.5]}
    assert differing["tag"]["adapter_digest"] == ["digest 1", "digest 2"]
    shown = models(state, "diff", "1", "2")
    assert "setting: training.epochs" in shown
    assert "seed" not in shown
    assert "setting: seed" in models(state, "diff", "1", "2", "--all")

    told = json.loads(models(state, "rollback", "--reason", "worse", "--json"))
    assert told == {"model": "walks", "champion": "1", "rolled_back": "2"}
    assert "rolled back: worse" in models(state, "ls")


def test_without_a_database_nothing_is_made(tmp_path):
    with pytest.raises(UserError, match="there is no MLflow database"):
        models(tmp_path / "nowhere", "ls")
    assert not (tmp_path / "nowhere").exists()
