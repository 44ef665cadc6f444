"""Where adapters land, what is trained beside them, and what is refused."""

import pytest
import torch

from videoguard.config import LoraSection, TrainingSection
from videoguard.errors import UserError
from videoguard.models.base import find_base
from videoguard.models.loading import load_model
from videoguard.training.adapters import attach_adapter
from videoguard.training.optimizers import parameter_groups, rates_of


@pytest.fixture
def base(tiny_base):
    return find_base(str(tiny_base))


def attach(base, train_whole=(), **lora):
    return attach_adapter(load_model(base, "float32"), LoraSection(r=2, alpha=4, **lora), base.family, train_whole)


def trained_modules(model) -> set[str]:
    """Names of the modules that have trained parameters, as the base model calls them."""
    names = (name for name, parameter in model.named_parameters() if parameter.requires_grad)
    return {name.removeprefix("base_model.model.").partition(".lora_")[0] for name in names}


def test_adapters_go_to_the_wanted_parts(base):
    language = trained_modules(attach(base, targets=["q_proj", "k_proj"]))
    assert language == {f"model.language_model.layers.{n}.self_attn.{p}_proj" for n in (0, 1) for p in "qk"}
    vision = trained_modules(attach(base, targets=["q_proj"], parts=["vision"]))
    assert vision == {f"model.vision_tower.encoder.layer.{n}.attention.q_proj" for n in (0, 1)}
    projector = trained_modules(attach(base, targets="all-linear", parts=["projector"]))
    assert projector == {"model.multi_modal_projector.linear_1", "model.multi_modal_projector.linear_2"}
    everywhere = trained_modules(attach(base, targets="all-linear", parts=["language", "vision", "projector"]))
    assert language < everywhere
    assert vision | projector < everywhere
    assert not any("lm_head" in name for name in everywhere)


def test_a_pattern_chooses_modules_by_their_whole_names(base):
    found = trained_modules(attach(base, targets=r".*layers\.1\.mlp\.(gate|up)_proj"))
    assert found == {f"model.language_model.layers.1.mlp.{name}_proj" for name in ("gate", "up")}


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        ({"targets": ["q_proj", "c_attn", "fc9"]}, "2 problems\n  - c_attn matches no module of language"),
        ({"targets": ["gate_proj"], "parts": ["vision"]}, "gate_proj matches no module of vision, whose modules are"),
        ({"targets": r"layers\.7\..*"}, r"layers\\\.7.* matches no module of language"),
        ({"modules_to_save": ["classifier"]}, "classifier matches no module"),
    ],
)
def test_a_target_that_is_none_is_refused(base, lora, said):
    with pytest.raises(UserError, match=said):
        attach(base, **lora)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lora": {"targets": "q_proj("}}, "it is no pattern of Python's re"),
        ({"lora": {"parts": []}}, "at least 1 item"),
        ({"train_whole": ["vision"], "lora": {"parts": ["vision"]}}, "vision stands in train_whole and in lora.parts"),
    ],
)
def test_settings_that_contradict_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        TrainingSection.model_validate(settings)


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora"])
def test_kinds_scale_as_published(base, kind):
    """The update of LoRA is scaled by alpha / r, that of rsLoRA by alpha / √r; DoRA trains a length for each output."""
    model = attach(base, kind=kind, targets=["q_proj"])
    layer = model.base_model.model.model.language_model.layers[0].self_attn.q_proj
    scale = {"lora": 4 / 2, "rslora": 4 / 2**0.5, "dora": 4 / 2}[kind]
    assert layer.scaling["default"] == pytest.approx(scale)
    magnitudes = [p for name, p in model.named_parameters() if "magnitude" in name and p.requires_grad]
    assert len(magnitudes) == (2 if kind == "dora" else 0)
    if magnitudes:
        torch.testing.assert_close(magnitudes[0], layer.weight.norm(dim=1))


def test_a_part_is_trained_whole_and_saved(base, tmp_path):
    from safetensors.torch import load_file

    model = attach(base, train_whole=["projector"], targets=["q_proj"], modules_to_save=["lm_head"])
    whole = {name for name in trained_modules(model) if "modules_to_save" in name}
    assert {name.rpartition(".")[0] for name in whole} >= {
        "model.multi_modal_projector.modules_to_save.default.linear_1",
        "lm_head.modules_to_save.default",
    }
    assert not any("vision_tower" in name for name in trained_modules(model))
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert "base_model.model.model.multi_modal_projector.linear_1.weight" in saved


def test_what_is_trained_is_kept_in_32_bits(base):
    model = attach_adapter(load_model(base, "bfloat16"), LoraSection(r=2), base.family, ["projector"])
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}


def test_parts_learn_at_their_own_rates(base):
    model = attach(base, train_whole=["projector"], targets=["q_proj"], parts=["language", "vision"])
    settings = TrainingSection(learning_rate=1e-3, vision_learning_rate=1e-5, projector_learning_rate=1e-4)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decaying = {name for name in names.values() if name.endswith(".weight") and "norm" not in name}
    groups = parameter_groups(model, base.family, rates_of(settings), decaying, 0.01)
    # The first group has the rate of the optimizer, and is the one whose rate is logged.
    assert [group.get("lr") for group in groups] == [None, 1e-4, 1e-4, 1e-5]
    assert [group["weight_decay"] for group in groups] == [0.01, 0.01, 0.0, 0.01]
    parts = [
        {"vision_tower", "multi_modal_projector", "language_model"}
        & set(".".join(names[id(p)] for p in group["params"]).split("."))
        for group in groups
    ]
    assert parts == [{"language_model"}, {"multi_modal_projector"}, {"multi_modal_projector"}, {"vision_tower"}]
    trained = sum(parameter.requires_grad for parameter in model.parameters())
    assert sum(len(group["params"]) for group in groups) == trained


def test_a_rate_for_what_is_not_trained_is_refused(base):
    model = attach(base, targets=["q_proj"])
    with pytest.raises(UserError, match=r"training.vision_learning_rate is 1e-05: nothing is trained in the vision"):
        parameter_groups(model, base.family, {"vision": 1e-5}, set(), 0.0)
