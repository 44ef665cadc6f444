"""Registered versions: loaded back from MLflow, they answer video files."""

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from videoguard.config import RegistrySection
from videoguard.inference.predictor import load_predictor
from videoguard.registry.request import RegistrationRequest
from videoguard.registry.versions import register_adapter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def version(tracking, trained, tiny_base, small_set, workspace) -> Iterator[str]:
    """The first version of an adapter."""
    before = mlflow.get_tracking_uri()
    uri = RegistrySection().uri(workspace / "state")
    run_id = tracking.start_run("trial", {}, {})
    tracking.finish(run_id, succeeded=True)
    request = RegistrationRequest(
        tracking_uri=uri,
        experiment="exercises",
        state=workspace / "state",
        run_id=run_id,
        run_name="trial",
        run_tags={"base_model": "tiny"},
        settings={"training.epochs": 4},
        training=trained.folder,
        logged=False,
        registered_model="exercises",
        base=str(tiny_base),
        version_tags={"base_model": "tiny", "adapter_digest": "abc"},
    )
    mlflow.set_tracking_uri(uri)
    yield register_adapter(request).version
    mlflow.set_tracking_uri(before)


def test_the_version_belongs_to_the_run_and_carries_its_tags(version, tracking):
    assert version == "1"
    registered = tracking.client.get_model_version("exercises", version)
    assert registered.tags == {"base_model": "tiny", "adapter_digest": "abc"}
    run = tracking.client.get_run(registered.run_id)
    assert run.info.status == "FINISHED"
    (logged,) = run.outputs.model_outputs
    assert registered.source == f"models:/{logged.model_id}"


def test_the_version_carries_the_adapter_with_its_record_and_not_the_base(version, trained):
    folder = Path(mlflow.artifacts.download_artifacts("models:/exercises/1"))
    stored = {path.name: path for path in folder.rglob("*") if path.is_file()}
    for name in ("preprocessing.json", "adapter_model.safetensors", "adapter_config.json"):
        assert stored[name].read_bytes() == (trained.adapter / name).read_bytes()
    assert "model.safetensors" not in stored
    example = json.loads(stored["input_example.json"].read_text())
    assert example["columns"] == ["video", "question"]


def test_the_loaded_version_answers_as_the_predictor_does(version, trained, tiny_base, small_set, tmp_path):
    model = mlflow.pyfunc.load_model("models:/exercises/1")
    (tmp_path / "empty.mp4").touch()
    samples = small_set.samples[:2]
    question = samples[0].question
    videos = [*(sample.path for sample in samples), tmp_path / "empty.mp4"]
    table = model.predict(pd.DataFrame({"video": list(map(str, videos)), "question": question}))

    wanted = load_predictor(trained.adapter, str(tiny_base)).predict(videos, question)
    assert list(table.columns) == ["answer", "error"]
    assert [None if pd.isna(answer) else answer for answer in table["answer"]] == [answer.answer for answer in wanted]
    assert [None if pd.isna(error) else error for error in table["error"]] == [None, None, "the file is empty"]


def test_the_signature_is_checked(version):
    from mlflow.exceptions import MlflowException

    model = mlflow.pyfunc.load_model("models:/exercises/1")
    with pytest.raises(MlflowException, match="video"):
        model.predict(pd.DataFrame({"path": ["a.mp4"]}))


def test_the_question_may_be_left_out_where_the_training_had_one(version, small_set):
    """The adapter was trained on the questions of its manifest: it says so instead of guessing."""
    from videoguard.errors import UserError

    model = mlflow.pyfunc.load_model("models:/exercises/1")
    with pytest.raises(UserError, match="no question is given"):
        model.predict(pd.DataFrame({"video": [str(small_set.samples[0].path)]}))
