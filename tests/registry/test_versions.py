"""Registered versions: loaded back from MLflow, they answer video files."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from videoguard.config import RegistrySection
from videoguard.errors import UnavailableError, UserError
from videoguard.inference.predictor import load_predictor
from videoguard.registry.references import find_model
from videoguard.registry.request import NewRun, RegistrationRequest
from videoguard.registry.versions import register_adapter

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def version(tracking, trained, tiny_base, small_set, workspace) -> Iterator[str]:
    """The first version of an adapter."""
    before = mlflow.get_tracking_uri()
    uri = RegistrySection().uri(workspace / "state")
    run_id = tracking.start_run("trial", {"training.epochs": 4}, {})
    tracking.finish(run_id, succeeded=True)
    request = RegistrationRequest(
        tracking_uri=uri,
        experiment="exercises",
        state=workspace / "state",
        run_id=run_id,
        parent_run_id=None,
        parent=NewRun(name="trial", settings={"training.epochs": 4}, tags={"base_model": "tiny"}),
        run=NewRun(name="trial training", settings={"training.epochs": 4}, tags={"base_model": "tiny"}),
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


def test_a_table_without_videos_is_refused(version):
    model = mlflow.pyfunc.load_model("models:/exercises/1")
    with pytest.raises(UserError, match="no column video, of paths, and none video_bytes"):
        model.predict(pd.DataFrame({"path": ["a.mp4"], "question": ["Which?"]}))


ASKING = """
import sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
path, question = sys.argv[2:]
content = open(path, "rb").read()
model = mlflow.pyfunc.load_model("models:/exercises@used", model_config={"most_mb": 0.5})
columns = {column.name: (column.type.name, column.required) for column in model.metadata.get_input_schema().inputs}
assert columns["video_bytes"] == ("binary", False), columns
table = pd.DataFrame({
    "video": [path, None, path, None, None, None],
    "video_bytes": [None, content, content, None, b"no video", bytes(600_000)],
    "question": question,
})
print("ANSWERS", model.predict(table).to_json(orient="records"))
print("ONLY", model.predict(pd.DataFrame({"video_bytes": [content], "question": question})).to_json(orient="records"))
"""


def test_a_process_elsewhere_asks_with_paths_and_with_bytes(version, tracking, small_set, tmp_path):
    tracking.client.set_registered_model_alias("exercises", "used", version)
    sample = small_set.samples[0]
    command = [sys.executable, "-c", ASKING, tracking.uri, str(sample.path), sample.question]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = {line.split(" ", 1)[0]: json.loads(line.split(" ", 1)[1]) for line in ended.stdout.splitlines() if "[{" in line}
    by_path, by_bytes, both, neither, broken, large = told["ANSWERS"]
    assert by_path["answer"]
    assert by_bytes == by_path
    assert told["ONLY"] == [by_path]
    assert [row["error"] for row in (both, neither, broken, large)] == [
        "the row has both video and video_bytes: give one of them",
        "the model looks at videos: give one",
        "it is not a video file",
        "video_bytes has 0.6 MiB, and at most 0.5 are taken: give its path, or load the model with "
        'model_config={"most_mb": …}',
    ]


def test_the_question_may_be_left_out_where_the_training_had_one(version, small_set):
    """The adapter was trained on the questions of its manifest: it says so instead of guessing."""
    from videoguard.errors import UserError

    model = mlflow.pyfunc.load_model("models:/exercises/1")
    with pytest.raises(UserError, match="no question is given"):
        model.predict(pd.DataFrame({"video": [str(small_set.samples[0].path)]}))


def test_a_version_is_found_by_its_number_and_its_alias(version, tracking, trained, tiny_base):
    tracking.client.set_registered_model_alias("exercises", "champion", version)
    for name in ("models:/exercises/1", "models:/exercises@champion"):
        found = find_model(name, tracking.uri)
        assert (found.version, found.base) == ("1", str(tiny_base))
        assert found.tags["adapter_digest"] == "abc"
        assert found.settings["training.epochs"] == "4"
        weights = "adapter_model.safetensors"
        assert found.adapter is not None
        assert (found.adapter / weights).read_bytes() == (trained.adapter / weights).read_bytes()
    assert find_model("models:/exercises/1", tracking.uri, base="/elsewhere").base == "/elsewhere"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("models:/exercises/7", "has the versions 1"),
        ("models:/exercises@nobody", "name one of them"),
        ("models:/nothing/1", "no model nothing is registered"),
        ("models:/exercises", "named models:/NAME@ALIAS or models:/NAME/VERSION"),
    ],
)
def test_a_version_that_is_not_there_is_refused_by_name(version, tracking, name, complaint):
    with pytest.raises(UserError, match=complaint):
        find_model(name, tracking.uri)


def test_a_folder_is_an_adapter_or_a_base(trained, tiny_base, tmp_path):
    adapter = find_model(str(trained.adapter), "sqlite:///unused.db")
    assert (adapter.adapter, adapter.base) == (trained.adapter, str(tiny_base))
    base = find_model(str(tiny_base), "sqlite:///unused.db")
    assert (base.adapter, base.base) == (None, str(tiny_base))
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"no preprocessing\.json"):
        find_model(str(tmp_path), "sqlite:///unused.db")


def test_an_mlflow_that_does_not_answer_is_told(tmp_path):
    with pytest.raises(UnavailableError, match="does not give it"):
        find_model("models:/exercises/1", "http://127.0.0.1:9")
