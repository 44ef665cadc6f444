"""The step promotion, on MLflow and Prefect: what stands against a version, and where that is recorded."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect import flow

from tasks.base_model import BaseReference
from tasks.evaluation import ScoredModel
from tasks.inference import ROWS, Answers
from tasks.promotion import Promotion, put_to_test
from tasks.step import Workplace
from tests.evaluation.test_comparing import model
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import RunConfig
from videoguard.evaluation.scores import write_evaluation
from videoguard.inference.rows import write_rows
from videoguard.registry.aliases import Aliases
from videoguard.registry.tracking import Tracking

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Workplace:
    return Workplace(state=tmp_path_factory.mktemp("state"), started=datetime.now(UTC))


@pytest.fixture(scope="module")
def config(place) -> RunConfig:
    rule = {"metric": "rouge_l", "guards": []}
    return RunConfig.model_validate(
        {
            "name": "trial",
            "data": {"manifest": "list.json"},
            "model": {"tiny": {}},
            "registry": {"registered_model": "walks", "promotion": rule},
            "execution": {"state": str(place.state)},
        }
    )


@pytest.fixture(scope="module")
def aliases(place, config, tmp_path_factory) -> Aliases:
    """Two versions that are folders without an adapter."""
    empty = tmp_path_factory.mktemp("empty")
    (empty / "MLmodel").touch()
    uri = config.registry.uri(place.state)
    client = Tracking(uri, "walks", place.state).client
    client.create_registered_model("walks")
    for _ in range(2):
        client.create_model_version("walks", source=empty.as_uri())
    return Aliases(uri, "walks")


def stored(place: Workplace, step: str, **facts: str | int) -> Artifact:
    """An artifact with nothing but facts."""

    def fill(draft: Draft) -> None:
        draft.facts = dict(facts)

    return place.make(Provenance(step=step, code="", settings=dict(facts), inputs={}, parents=()), fill)


def scored(place: Workplace, value: float) -> ScoredModel:
    """Twelve answers, each with this score."""
    answered = model("any", {"likeness": [value] * 12})
    evaluation = answered.evaluation
    named = evaluation.model_copy(
        update={
            "rows": [row.model_copy(update={"scores": {"rouge_l": value}}) for row in evaluation.rows],
            "summary": {"rouge_l": evaluation.summary["likeness"]},
            "metrics": {"rouge_l": evaluation.metrics["likeness"].model_copy(update={"name": "rouge_l"})},
        }
    )

    def fill_rows(draft: Draft) -> None:
        write_rows(draft.folder / ROWS, answered.rows)
        draft.facts = {"failed": 0}

    def fill_scores(draft: Draft) -> None:
        write_evaluation(named, draft.folder)

    made = [
        place.make(Provenance(step=step, code="", settings={"value": value}, inputs={}, parents=()), fill)
        for step, fill in (("inference", fill_rows), ("evaluation", fill_scores))
    ]
    return ScoredModel(answers=Answers(shards=(made[0],)), evaluation=made[1])


def asked(place: Workplace, config: RunConfig, version: str, base: float, candidate: float) -> Promotion:
    """The step for a version whose adapter scores `candidate`, and its base model `base`."""
    registered = stored(place, "registry", model="walks", version=version, run_id="")
    dataset = stored(place, "dataset")
    reference = BaseReference(name="tiny", location="base", revision=None, digest="b", artifact=stored(place, "base-model"))

    @flow(name="trial")
    def trial() -> Promotion | None:
        return put_to_test(
            place, config, registered, [scored(place, base), scored(place, candidate)], reference, dataset, None
        )

    found = trial()
    assert found is not None
    return found


def test_versions_are_put_to_the_test_one_after_the_other(prefect_server: Path, place, config, aliases):
    first = asked(place, config, "1", 0.2, 0.6).decision(place)
    assert (first.outcome, first.against, aliases.holders()) == ("promoted", None, {"champion": "1"})
    # Asked again, it is tested against what it was tested against, and nothing is made.
    again = asked(place, config, "1", 0.2, 0.6)
    assert again.decision(place) == first
    assert len(list((place.state / "artifacts/promotion").glob("[!.]*"))) == 1

    second = asked(place, config, "2", 0.2, 0.9).decision(place)
    assert (second.outcome, second.against) == ("undecided", "1")
    assert second.reasons[0].startswith("the champion cannot be asked about these samples: ")
    assert "holds no adapter of Video-Guard" in second.reasons[0]
    assert aliases.holders() == {"champion": "1", "candidate": "2"}
    assert aliases.version("2").tags["promotion.reasons"] == second.reasons[0]

    aliases.promote("2", "seen on the new camera")
    by_hand = asked(place, config, "2", 0.2, 0.9).decision(place)
    assert (by_hand.outcome, by_hand.reasons) == ("promoted", ["promoted by hand: seen on the new camera"])
    aliases.roll_back("wrong on squats")
    held = asked(place, config, "2", 0.2, 0.9).decision(place)
    assert (held.outcome, held.reasons) == ("held back", ["rolled back: wrong on squats"])
    assert aliases.holders() == {"champion": "1"}
