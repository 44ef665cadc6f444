"""The steps of a night on Prefect and a state folder: what is kept, what is compared, and what is told."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State

from flows.nightly_eval import nightly_eval, summary_of
from tasks.nightly import AskedModels, examine_night, find_models, only_night, try_candidate
from tasks.nightly_report import keep_night
from tasks.step import Workplace
from tasks.versions import AskedVersion
from tests.tasks.test_promotion import scored, stored
from videoguard.config import RunConfig
from videoguard.errors import UserError
from videoguard.nights.night import Night
from videoguard.nights.options import NightlyOptions
from videoguard.registry.aliases import Aliases
from videoguard.registry.standing import Holder
from videoguard.registry.tracking import Tracking

pytestmark = pytest.mark.slow
HOLDERS = {"champion": Holder(version="3", source="models:/m-3")}


@pytest.fixture
def config(tmp_path) -> RunConfig:
    return RunConfig.model_validate(
        {
            "name": "trial",
            "data": {"manifest": "list.json"},
            "model": {"tiny": {}},
            "registry": {"registered_model": "walks", "promotion": {"metric": "rouge_l", "guards": []}},
            "execution": {"state": str(tmp_path / "state")},
        }
    )


def night_of(config: RunConfig, champion: AskedVersion, options: NightlyOptions | None = None) -> Night:
    """A night whose champion answered so, kept for the next one."""
    place = Workplace(state=config.execution.state, started=datetime.now(UTC))
    asked = AskedModels(holders=HOLDERS, models={"champion": champion}, absent=["candidate"])

    @flow(name="trial")
    def trial() -> Night:
        dataset = stored(place, "dataset")
        found, samples = examine_night(place, config, options or NightlyOptions(), asked, dataset, None, None)
        keep_night(place, config, found, samples)
        return found

    return trial()


def answered(config: RunConfig, value: float) -> AskedVersion:
    """A champion that scores `value` on each of twelve samples."""
    place = Workplace(state=config.execution.state, started=datetime.now(UTC))
    return AskedVersion(scored=scored(place, value))


def test_nights_pass_regress_and_begin_a_new_standard(prefect_server: Path, config):
    first = night_of(config, answered(config, 0.75))
    assert (first.outcome, first.samples, first.asked["champion"].version) == ("passed", 12, "3")
    # The same answers again: nothing was made, and there is a night all the same.
    same = night_of(config, answered(config, 0.75))
    assert (same.outcome, same.computed, same.digest) == ("passed", 0, first.digest)
    assert same.comparisons[0].night == first.name

    worse = night_of(config, answered(config, 0.25))
    assert worse.outcome == "regressed"
    assert worse.reasons[0].startswith("rouge_l 0.750 to 0.250 (-0.500; 0 better, 12 worse of 12; paired bootstrap: p ")
    # It stays a regression on the next night, until somebody says otherwise.
    assert night_of(config, answered(config, 0.25)).outcome == "regressed"
    accepted = night_of(config, answered(config, 0.25), NightlyOptions(new_standard="a harder camera"))
    assert (accepted.outcome, accepted.comparisons) == ("passed", [])
    assert night_of(config, answered(config, 0.25)).outcome == "passed"


def test_a_champion_that_cannot_be_asked_leaves_the_night_undecided(prefect_server: Path, config):
    refused = night_of(config, AskedVersion(refusal="frames.count is 8, and 4 in its record"))
    assert refused.outcome == "undecided"
    assert refused.asked["champion"].refusal == "frames.count is 8, and 4 in its record"
    # Such a night is no standard.
    assert night_of(config, answered(config, 0.75)).reasons == ["the first night: there is none to compare with"]


def ended(folder: Path, **options: object) -> State[Any]:
    """The flow, with a recipe whose manifest does not exist."""
    recipe = folder / "recipe.yaml"
    state = folder / "state"
    recipe.write_text(
        f"name: trial\ndata: {{manifest: absent.json}}\nmodel: {{tiny: {{}}}}\nexecution: {{state: {state}}}\n"
    )
    return nightly_eval(NightlyOptions.model_validate({"recipe": str(recipe), **options}), return_state=True)


def test_a_bad_address_and_an_empty_registry_are_refused_before_any_work(prefect_server: Path, tmp_path):
    with pytest.raises(UserError, match="nonsense://… is no address that Apprise knows"):
        summary_of(ended(tmp_path, notify=["nonsense://secret"]))
    with pytest.raises(UserError, match=r"model video-guard in .* has no champion and no candidate"):
        summary_of(ended(tmp_path))
    assert not (tmp_path / "state/artifacts").exists()


def test_a_night_is_skipped_while_another_runs(prefect_server: Path, config, tmp_path):
    with only_night(config) as alone:
        assert alone
        skipped = ended(tmp_path)
        assert (skipped.name, summary_of(skipped)) == ("Skipped", None)
        assert "another night runs in" in (skipped.message or "")


def test_only_the_wanted_models_are_asked(config):
    place = Workplace(state=config.execution.state, started=datetime.now(UTC))
    base_alone = config.model_copy(update={"nightly": config.nightly.model_copy(update={"models": ("base",)})})
    with pytest.raises(UserError, match="has no champion"):
        find_models(place, base_alone)


def test_a_night_promotes_a_candidate_that_is_shown_to_be_better_and_no_equal_one(prefect_server: Path, config, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/MLmodel").touch()
    uri = config.registry.uri(config.execution.state)
    client = Tracking(uri, "walks", config.execution.state).client
    client.create_registered_model("walks")
    for alias in ("champion", "candidate"):
        version = client.create_model_version("walks", source=(tmp_path / "empty").as_uri()).version
        client.set_registered_model_alias("walks", alias, version)
    place = Workplace(state=config.execution.state, started=datetime.now(UTC))
    fetched = stored(place, "champion", model="walks", version="2", run_id="")

    def tried(champion: float, candidate: float) -> str:
        asked = AskedModels(
            holders=find_models(place, config),
            models={
                "champion": answered(config, champion),
                "candidate": answered(config, candidate).model_copy(update={"made": (fetched,)}),
            },
            absent=[],
        )

        @flow(name="trial")
        def trial() -> str:
            promotion = try_candidate(place, config, asked)
            assert promotion is not None
            return promotion.decision(place).outcome

        return trial()

    aliases = Aliases(uri, "walks")
    assert tried(0.5, 0.5) == "held back"
    assert tried(0.5, 0.25) == "held back"
    assert aliases.holders() == {"champion": "1", "candidate": "2"}
    assert tried(0.5, 0.75) == "promoted"
    assert aliases.holders() == {"champion": "2", "previous": "1"}
