"""Scores of labels equal those of a full forward pass over prompt and label."""

import math

import pytest
import torch

from videoguard.dataset.building import messages_of, read_split
from videoguard.inference.engine import Engine
from videoguard.inference.label_form import LabelForm, find_label_form
from videoguard.inference.label_scores import LabelScorer
from videoguard.models.base import find_base
from videoguard.models.families import _FAMILIES
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import Preprocessor

LABELS = ("squat", "squat jump", "push-up", "plank", "jumping jack")
TEXT = find_label_form([(f"{label} - {word}", label) for label in LABELS for word in ("good", "poor")])
JSON = find_label_form([(f'{{"exercise": "{label}", "form": "{word}"}}', label) for label in LABELS for word in "ab"])
BARE = find_label_form([(label, label) for label in LABELS])


def _by_hand(engine: Engine, prompt, form: LabelForm, answer: str) -> dict[str, float]:
    """Probabilities of the labels by a pass over each whole sequence."""
    scorer = LabelScorer(engine, form)
    paths = scorer._paths(answer)
    assert paths is not None
    sums = []
    for path in paths.values():
        whole = engine.preprocessor.collate([prompt], side="left")
        for name in whole.keys() & {"input_ids", "token_type_ids", "mm_token_type_ids"}:
            more = torch.tensor([path]) if name == "input_ids" else torch.zeros((1, len(path)), dtype=whole[name].dtype)
            whole[name] = torch.cat([whole[name], more], dim=1)
        whole["attention_mask"] = torch.ones_like(whole["input_ids"])
        with torch.inference_mode():
            logits = engine.model(**whole).logits[0, -len(path) - 1 : -1].float()
        sums.append(float(torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(path)[:, None]).sum()))
    total = math.log(sum(math.exp(each - max(sums)) for each in sums)) + max(sums)
    return {label: math.exp(each - total) for label, each in zip(paths, sums, strict=True)}


def _text_prompts(engine):
    words = ("Which exercise is it?", "Name it.", "What do you see here, and how well is it done?")
    return [engine.preprocessor.prompt([{"role": "user", "content": [{"type": "text", "text": word}]}]) for word in words]


@pytest.mark.parametrize("family", sorted(_FAMILIES))
def test_every_family_scores_labels_as_a_full_pass_does(tiny_family, family):
    base = find_base(str(tiny_family(family)))
    engine = Engine(load_model(base, "float32"), Preprocessor(load_processor(base), base.family), batch_size=10)
    prompts = _text_prompts(engine)
    for prompt, score in zip(prompts, LabelScorer(engine, TEXT).score(prompts, [""] * 3), strict=True):
        assert score is not None
        assert dict(score.probabilities) == pytest.approx(_by_hand(engine, prompt, TEXT, ""), rel=1e-3)


@pytest.fixture(scope="module")
def prompts(small_set, preprocessor):
    store = small_set.store
    rows = list(read_split(small_set.dataset, "test"))[:3]
    return [preprocessor.prompt(messages_of(row)[:-1], store.frames(row["video"])) for row in rows]


@pytest.mark.parametrize("form", [TEXT, JSON, BARE], ids=["text", "json", "bare"])
@pytest.mark.parametrize("batch_size", [1, 3, 40])
def test_videos_in_any_form_and_any_batch(adapted, preprocessor, prompts, form, batch_size):
    engine = Engine(adapted, preprocessor, batch_size)
    for prompt, score in zip(prompts, LabelScorer(engine, form).score(prompts, [""] * 3), strict=True):
        assert score is not None
        assert sum(score.probabilities.values()) == pytest.approx(1.0)
        assert score.probability == score.probabilities[score.label] == max(score.probabilities.values())
        assert dict(score.probabilities) == pytest.approx(_by_hand(engine, prompt, form, ""), rel=1e-3)


def test_the_generated_answer_leads_to_the_label_where_words_before_it_differ(adapted, preprocessor, prompts):
    engine = Engine(adapted, preprocessor)
    form = find_label_form([(f'{{"form": "{word}", "exercise": "{label}"}}', label) for label in LABELS for word in "ab"])
    answers = ['{"form": "good", "exercise": "x"}', "no JSON at all", '{"form": "a rather poor one", "exercise": "x"}']
    first, none, last = LabelScorer(engine, form).score(prompts, answers)
    assert none is None
    for prompt, answer, score in ((prompts[0], answers[0], first), (prompts[2], answers[2], last)):
        assert score is not None
        assert dict(score.probabilities) == pytest.approx(_by_hand(engine, prompt, form, answer), rel=1e-3)


def test_a_label_that_begins_another_is_told_from_it(adapted, preprocessor):
    paths = LabelScorer(Engine(adapted, preprocessor), TEXT)._paths("")
    assert paths is not None
    squat, jump = paths["squat"], paths["squat jump"]
    assert jump[: len(squat)] != squat
