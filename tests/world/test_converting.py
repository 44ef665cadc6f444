"""NVIDIA's checkpoint and a peft folder of the same adapter become the same bytes."""

import json

import pytest

from tests.world.conftest import TARGETS, lora_weights
from videoguard.errors import UserError
from videoguard.world.adapters.checks import check_adapter
from videoguard.world.adapters.converting import convert_adapter, require_same_base
from videoguard.world.adapters.files import read_adapter
from videoguard.world.architecture import read_architecture

THEIR_NAMES = {
    "transformer_blocks": "blocks",
    "attn1": "self_attn",
    "attn2": "cross_attn",
    "to_q": "q_proj",
    "to_k": "k_proj",
    "to_v": "v_proj",
    "to_out.0": "output_proj",
    "ff.net.0.proj": "mlp.layer1",
    "ff.net.2": "mlp.layer2",
}


def nvidia_name(name: str) -> str:
    """The name that NVIDIA's training gives a LoRA weight of peft."""
    for ours, theirs in THEIR_NAMES.items():
        name = name.replace(f".{ours}.", f".{theirs}.")
    return name.replace("base_model.model.", "net.").replace(".weight", ".default.weight")


def test_both_layouts_convert_to_the_same_folder(save_adapter, base_2b, tmp_path):
    import torch

    weights = {name: torch.randn_like(weight) for name, weight in lora_weights(rank=2).items()}
    theirs = {nvidia_name(name): weight for name, weight in weights.items()}
    theirs |= {
        "net.blocks.0.self_attn.q_proj.base_layer.weight": torch.zeros(1),
        "net.blocks.0.self_attn._extra_state": torch.zeros(1),
        "net.accum_image_sample_counter": torch.zeros(1),
        # The running average of the same weights: those as trained are taken.
        **{name.replace("net.", "net_ema."): weight + 1 for name, weight in theirs.items()},
    }
    torch.save(theirs, tmp_path / "iter_000002000.pt")
    model = read_architecture(base_2b)
    for source, target in (
        (save_adapter(weights, r=2, lora_alpha=2), "ours"),
        (tmp_path / "iter_000002000.pt", "converted"),
    ):
        adapter = read_adapter(source)
        convert_adapter(adapter, check_adapter(adapter, model), tmp_path / target)
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "ours" / file).read_bytes() == (tmp_path / "converted" / file).read_bytes()
    again = check_adapter(read_adapter(tmp_path / "converted"), model)
    assert (again.rank, again.alpha, again.tensors) == (2, 2.0, 560)
    settings = json.loads((tmp_path / "converted" / "adapter_config.json").read_text())
    assert {module.partition(".attn1.")[2] for module in settings["target_modules"]} <= {"", *TARGETS}


def test_an_adapter_of_another_base_is_refused(tmp_path):
    import torch
    from safetensors.torch import save_file

    base = tmp_path / "base"
    (base / "transformer").mkdir(parents=True)
    weight = torch.randn(8, 8, dtype=torch.float32)
    save_file({"proj_out.weight": weight}, str(base / "transformer" / "model.safetensors"))
    lora = {f"net.final_layer.linear.lora_{half}.default.weight": torch.zeros(8, 8) for half in "AB"}
    path = tmp_path / "model.pt"
    # Rounded to 16 bits it is still the same base.
    torch.save(lora | {"net.final_layer.linear.base_layer.weight": weight.bfloat16()}, path)
    require_same_base(read_adapter(path), base)
    torch.save(lora | {"net.final_layer.linear.base_layer.weight": weight * 1.1}, path)
    with pytest.raises(UserError, match=r"trained on another base .* weights of proj_out\.weight differ"):
        require_same_base(read_adapter(path), base)
