"""An alias that moves in MLflow is followed without a restart."""

import shutil

import mlflow
import pytest
from mlflow import MlflowClient
from safetensors.torch import load_file, save_file

from tests.serving.conftest import running
from tests.serving.test_predicting import post
from videoguard.config import RegistrySection
from videoguard.registry.request import NewRun, RegistrationRequest
from videoguard.registry.tracking import Tracking
from videoguard.registry.versions import register_adapter
from videoguard.training.outcome import ADAPTER

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two_versions(trained, tiny_base, tmp_path_factory):
    """State folder of a registry with two versions, of which the first is champion."""
    folder = tmp_path_factory.mktemp("registry")
    state = folder / "state"
    uri = RegistrySection().uri(state)
    Tracking(uri, "exercises", state)
    other = folder / "other"
    shutil.copytree(trained.folder, other, ignore=shutil.ignore_patterns("checkpoints"))
    file = other / ADAPTER / "adapter_model.safetensors"
    save_file({name: weight.flip(0) * 3 for name, weight in load_file(file).items()}, file)
    before = mlflow.get_tracking_uri()
    for training in (trained.folder, other):
        register_adapter(
            RegistrationRequest(
                tracking_uri=uri,
                experiment="exercises",
                state=state,
                run_id=None,
                parent_run_id=None,
                parent=NewRun(name="trial", settings={}, tags={}),
                run=NewRun(name="trial training", settings={}, tags={}),
                training=training,
                logged=False,
                registered_model="exercises",
                base=str(tiny_base),
                version_tags={},
            )
        )
    client = MlflowClient(tracking_uri=uri)
    client.set_registered_model_alias("exercises", "champion", "1")
    yield state, client
    mlflow.set_tracking_uri(before)


def test_a_promoted_version_answers_from_the_next_look_on(two_versions, settings, video):
    state, client = two_versions
    name = "models:/exercises@champion"
    with running(settings(models=(name,), base=None, state=state, labels=None, alias_seconds=3600.0)) as service:
        catalogue = service.service.catalogue
        first = post(service, video).json()["answers"][0]
        client.set_registered_model_alias("exercises", "champion", "2")
        catalogue.check_aliases()
        second = post(service, video).json()["answers"][0]
        assert (first["version"], second["version"]) == ("1", "2")
        assert first["mean_token_logprob"] != second["mean_token_logprob"]
        # Both stand on one loaded base, and the adapter that nobody asks for is forgotten.
        (base,) = catalogue._bases.values()
        assert list(base._shared._names) == [catalogue.find(name).asked.adapter]
        client.delete_registered_model_alias("exercises", "champion")
        catalogue.check_aliases()
        (card, _) = service.client.get("/v1/models").json()["data"]
        assert card["version"] == "2"
        assert "exercises has the versions 1, 2 and the aliases (none)" in card["problem"]
        assert post(service, video).json()["answers"] == [{**second, "seconds": pytest.approx(0, abs=60)}]
        client.set_registered_model_alias("exercises", "champion", "1")
        catalogue.check_aliases()
        assert post(service, video).json()["answers"][0]["mean_token_logprob"] == first["mean_token_logprob"]
        assert 'videoguard_model{model="models:/exercises@champion",version="1"} 1.0' in service.client.get("/metrics").text


def test_a_request_to_a_model_that_was_just_replaced_may_be_tried_again(settings, video):
    with running(settings()) as service:
        (base,) = service.service.catalogue._bases.values()
        base.close()
        for path in ("/v1/predict", "/v1/guard"):
            fields = {"question": "Which?", "reply": "json"}
            late = service.client.post(path, data=fields, files={"video": video.read_bytes()})
            assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        assert service.client.get("/ready").status_code == 503
