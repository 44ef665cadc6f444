"""Each fault of an adapter has its own error, from real files of an adapter of the 2B size, with no base weight there."""

import json
import pickle
from pathlib import Path

import pytest

from tests.world.conftest import TARGETS, lora_weights, write_json
from videoguard.errors import UserError
from videoguard.world.adapters.checks import Expected, check_adapter, recognize
from videoguard.world.adapters.files import read_adapter
from videoguard.world.architecture import read_architecture

PREFIX = "base_model.model.transformer_blocks"


def check(adapter, base, **expected):
    return check_adapter(read_adapter(adapter), read_architecture(base), Expected(**expected))


def refusal(adapter, base, **expected) -> str:
    with pytest.raises(UserError) as refused:
        check(adapter, base, **expected)
    return str(refused.value)


def test_statistics_of_the_published_size(save_adapter, base_2b):
    facts = check(save_adapter(lora_weights()), base_2b)
    # NVIDIA's 2B transformer, and rank 16 on its attention and feed-forward layers: 28 blocks of ten modules.
    assert facts.base_parameters == 1_956_413_440
    assert facts.lora_parameters == 22_937_600
    assert (facts.tensors, len(facts.modules)) == (560, 280)
    assert facts.ratio == pytest.approx(0.01159, abs=1e-5)
    assert (facts.rank, facts.alpha, facts.alpha_is_assumed) == (16, 16.0, False)
    assert facts.modules[0] == "transformer_blocks.0.attn1.to_k"
    assert facts.targets[-1] == "ff.net.2"


def test_the_size_is_recognized_without_a_base(save_adapter):
    for size, blocks in (("2B", 28), ("14B", 36)):
        found = recognize(read_adapter(save_adapter(lora_weights(size, rank=1))))
        assert (found.name, found.blocks) == (f"Cosmos-Predict2-{size}", blocks)


def test_rank_of_the_settings_is_not_that_of_the_weights(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights(rank=8)), base_2b)
    assert "rank: its settings say 16 and the weights of 280 of 280 modules have another" in message


def test_rank_differs_from_the_given_one(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights()), base_2b, rank=32)
    assert "rank: 32 was given and its weights have 16" in message


def test_the_halves_have_different_ranks(save_adapter, base_2b):
    weights = lora_weights()
    name = f"{PREFIX}.3.attn1.to_q.lora_B.weight"
    weights[name] = weights[name][:, :8].contiguous()
    assert "such as transformer_blocks.3.attn1.to_q with 16 and 8" in refusal(save_adapter(weights), base_2b)


def test_a_rank_of_its_own_is_accepted_where_the_settings_say_it(save_adapter, base_2b):
    weights = lora_weights()
    for half, shape in (("A", slice(None, 4)), ("B", (slice(None), slice(None, 4)))):
        name = f"{PREFIX}.0.attn1.to_q.lora_{half}.weight"
        weights[name] = weights[name][shape].contiguous()
    facts = check(save_adapter(weights, rank_pattern={"transformer_blocks.0.attn1.to_q": 4}), base_2b)
    assert facts.ranks == {"transformer_blocks.0.attn1.to_q": 4}


def test_alpha_is_missing(save_adapter, base_2b):
    assert "alpha: adapter_config.json has no lora_alpha" in refusal(save_adapter(lora_weights(), lora_alpha=None), base_2b)


def test_alpha_differs_from_the_given_one(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights(), lora_alpha=32), base_2b, alpha=16.0)
    assert "alpha: 16 was given and its settings say 32" in message


def test_no_target_matches(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights(), target_modules=["query", "key"]), base_2b)
    assert "targets: none of the targets of its settings (key, query) matches a module" in message


def test_only_some_targets_match(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights(), target_modules=[*TARGETS, "gate_proj"]), base_2b)
    assert "targets: gate_proj of the targets of its settings match no module of the model, and the others do" in message


def test_targets_are_fewer_than_the_weights(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights(), target_modules=["to_q"]), base_2b)
    assert "targets: 224 modules have weights and are none of the targets of its settings (to_q)" in message


def test_given_targets_are_read_in_the_words_of_nvidia(save_adapter, base_2b):
    adapter = save_adapter(lora_weights())
    seed = ["q_proj", "k_proj", "v_proj", "output_proj", "mlp.layer1", "mlp.layer2"]
    assert len(check(adapter, base_2b, targets=seed).modules) == 280
    assert "112 modules have weights and are none of the given targets" in refusal(adapter, base_2b, targets=seed[:-3])


def test_modules_without_weights(save_adapter, base_2b):
    weights = {name: weight for name, weight in lora_weights().items() if ".27." not in name}
    message = refusal(save_adapter(weights), base_2b)
    assert "missing weights: 10 of the 280 modules that the targets of its settings name have none" in message


def test_only_one_half_is_there(save_adapter, base_2b):
    weights = {name: weight for name, weight in lora_weights().items() if "lora_A" in name}
    assert "missing weights: lora_B is missing for 280 of 280 modules" in refusal(save_adapter(weights), base_2b)


def test_blocks_that_the_model_does_not_have(save_adapter, base_2b):
    weights = lora_weights()
    for half in "AB":
        weights[f"{PREFIX}.28.attn1.to_q.lora_{half}.weight"] = weights[f"{PREFIX}.0.attn1.to_q.lora_{half}.weight"].clone()
    message = refusal(save_adapter(weights), base_2b)
    assert "unexpected weights: 1 modules are of blocks that the model does not have" in message
    assert "the adapter has 29 blocks and the model 28" in message


def test_weights_that_are_not_of_lora(save_adapter, base_2b):
    import torch

    weights = lora_weights() | {f"{PREFIX}.0.attn1.to_q.lora_magnitude_vector": torch.zeros(2048)}
    message = refusal(save_adapter(weights, use_dora=True), base_2b)
    assert "unexpected weights: 1 are not of LoRA" in message
    assert "layout: its settings have use_dora=True" in message


def test_shapes_of_another_size(save_adapter, base_2b):
    message = refusal(save_adapter(lora_weights("14B", rank=1), r=1), base_2b)
    assert "shapes: " in message
    assert "the adapter has 36 blocks and the model 28" in message


def test_a_folder_of_unknown_layout(tmp_path, base_2b):
    write_json(tmp_path / "config.json", {})
    assert "its layout is not known" in refusal(tmp_path, base_2b)
    assert "no such file or folder" in refusal(tmp_path / "absent", base_2b)


@pytest.mark.parametrize("lost", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_file_of_the_folder_is_lost(save_adapter, base_2b, lost):
    adapter = save_adapter(lora_weights())
    (adapter / lost).unlink()
    assert f"{lost} is missing: copy the whole folder" in refusal(adapter, base_2b)


def test_weights_are_cut_off(save_adapter, base_2b):
    adapter = save_adapter(lora_weights())
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    assert "adapter_model.safetensors cannot be read" in refusal(adapter, base_2b)


def test_settings_are_no_json(save_adapter, base_2b):
    adapter = save_adapter(lora_weights())
    (adapter / "adapter_config.json").write_text("{")
    assert "adapter_config.json is no JSON" in refusal(adapter, base_2b)


class Shell:
    """What a hostile checkpoint holds."""

    def __reduce__(self):
        return Path.touch, (Path("touched"),)


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"weights": [1, 2]})], ids=["empty", "text", "pickle"])
def test_a_pt_that_is_none(tmp_path, base_2b, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert f"adapter {path}: " in refusal(path, base_2b)


def test_a_pt_that_would_run_code_is_refused(tmp_path, base_2b, monkeypatch):
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"net.x": Shell()}, tmp_path / "model.pt")
    assert "it cannot be read as weights alone" in refusal(tmp_path / "model.pt", base_2b)
    assert not (tmp_path / "touched").exists()


def test_a_pt_of_a_base_has_no_adapter(tmp_path, base_2b):
    import torch

    torch.save({"net.blocks.0.self_attn.q_proj.weight": torch.zeros(2, 2)}, tmp_path / "model.pt")
    assert "it holds 1 weights of a base model and no LoRA weight" in refusal(tmp_path / "model.pt", base_2b)


def test_several_faults_are_told_at_once(save_adapter, base_2b):
    weights = {name: weight for name, weight in lora_weights(rank=8).items() if ".27." not in name}
    message = refusal(save_adapter(weights, lora_alpha=None), base_2b)
    assert "3 problems" in message
    for fault in ("rank: ", "alpha: ", "missing weights: "):
        assert f"- {fault}" in message


def test_metadata_of_diffusers_tells_rank_and_alpha(tmp_path, base_2b):
    from safetensors.torch import save_file

    weights = {name.replace("base_model.model.", "transformer."): weight for name, weight in lora_weights().items()}
    settings = {"transformer.r": 16, "transformer.lora_alpha": 32, "transformer.target_modules": TARGETS}
    path = tmp_path / "pytorch_lora_weights.safetensors"
    save_file(weights, str(path), metadata={"lora_adapter_metadata": json.dumps(settings)})
    assert (check(path, base_2b).alpha, check(tmp_path, base_2b).layout) == (32.0, "diffusers")
    save_file(weights, str(path))
    assert (check(path, base_2b).alpha, check(path, base_2b).alpha_is_assumed) == (16.0, True)
