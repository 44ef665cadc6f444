"""A worsened adapter is not promoted, a better one is, an equal one is not: real weights, real answers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.nights.nights import night
from videoguard.config import InferenceSection, NightlySection
from videoguard.evaluation.comparing import ComparedModel
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.evaluation.promoting import decide
from videoguard.evaluation.promotion import PromotionDecision
from videoguard.inference.infer import infer
from videoguard.inference.request import InferenceRequest
from videoguard.inference.rows import read_rows
from videoguard.nights.judging import CHAMPION, Earlier, Judgement, judge
from videoguard.nights.night import NightSample

pytestmark = pytest.mark.slow
WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def worsened(trained, tmp_path_factory) -> Path:
    """The trained adapter with noise on its weights, five times as large as they are."""
    import torch
    from safetensors.torch import load_file, save_file

    folder: Path = tmp_path_factory.mktemp("worsened") / "adapter"
    shutil.copytree(trained.adapter, folder)
    weights = load_file(trained.adapter / WEIGHTS)
    noise = torch.Generator().manual_seed(0)
    worse = {
        name: values + 5.0 * values.std() * torch.randn(values.shape, generator=noise) for name, values in weights.items()
    }
    save_file(worse, folder / WEIGHTS)
    return folder


@pytest.fixture(scope="module")
def asked(small_set, tiny_base, tmp_path_factory) -> Callable[[Path], ComparedModel]:
    """Answers and scores of an adapter on the test split."""
    rows = tmp_path_factory.mktemp("rows") / "rows.db"

    def ask(adapter: Path) -> ComparedModel:
        output = tmp_path_factory.mktemp("answers")
        request = InferenceRequest(
            base=str(tiny_base),
            base_name="tiny",
            revision=None,
            dtype="float32",
            adapter=adapter,
            dataset=small_set.dataset,
            frame_store=small_set.frames,
            frame_shards=small_set.shards,
            frames=small_set.rule,
            system_prompt=small_set.system_prompt,
            question=None,
            inference=InferenceSection(batch_size=16, max_new_tokens=12, workers=0),
            row_store=rows,
            output=output,
        )
        infer(request, lambda event: None)
        answers = read_rows(output / "rows.jsonl")
        return ComparedModel(
            adapter.parent.name, answers, evaluate_rows(answers, ["rouge_l"], sentence_model="", state=output)
        )

    return ask


def kept(asked: ComparedModel) -> list[NightSample]:
    """The answers of a champion as a night keeps them."""
    scores = {row.id: row.scores for row in asked.evaluation.rows}
    return [
        NightSample(key=row.id, id=row.id, content=row.group, group=row.group, label=None, scores={CHAMPION: scores[row.id]})
        for row in asked.rows
    ]


def test_a_night_with_a_worsened_champion_fails_with_the_right_numbers(asked, trained, worsened):
    good, bad = asked(trained.adapter), asked(worsened)
    facts, rule = good.evaluation.metrics, NightlySection()

    def after(before: ComparedModel, tonight: ComparedModel) -> Judgement:
        earlier = [Earlier(night(1), kept(before))]
        return judge(kept(tonight), "2", facts, ["rouge_l"], earlier, rule, scored_by="code")

    found = after(good, bad)
    assert found.outcome == "regressed"
    (pair,) = found.comparisons[0].pairs
    means = [model.evaluation.summary["rouge_l"].mean for model in (good, bad)]
    assert [pair.first_mean, pair.second_mean] == pytest.approx(means)
    assert found.reasons[0].startswith(f"rouge_l {means[0]:.3f} to {means[1]:.3f} ({means[1] - means[0]:+.3f}; ")
    assert [after(bad, good).outcome, after(good, good).outcome] == ["passed", "passed"]


def test_only_the_better_of_two_adapters_is_promoted(asked, trained, worsened):
    good, bad = asked(trained.adapter), asked(worsened)

    def against(champion: ComparedModel, candidate: ComparedModel) -> PromotionDecision:
        renamed = [ComparedModel(name, model.rows, model.evaluation) for name, model in (("1", champion), ("2", candidate))]
        return decide(*renamed, model="walks", version="2", against="1", metric="rouge_l", guards=None)

    better, worse = against(bad, good), against(good, bad)
    assert (better.outcome, worse.outcome) == ("promoted", "held back")
    assert better.gain is not None
    assert worse.gain is not None
    means = [model.evaluation.summary["rouge_l"].mean for model in (bad, good)]
    assert [better.gain.first_mean, better.gain.second_mean] == pytest.approx(means)
    assert worse.gain.difference == pytest.approx(-(better.gain.difference or 0.0))
    assert "it has not risen" in worse.reasons[0]
    equal = against(good, asked(trained.adapter))
    assert (equal.outcome, equal.gain and equal.gain.difference) == ("held back", 0.0)
