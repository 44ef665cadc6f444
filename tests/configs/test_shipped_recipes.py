"""Every recipe under configs/ loads, builds its model and takes one step of training."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from videoguard.config import RunConfig
from videoguard.config.world import WorldConfig
from videoguard.dataset.answer_schema import load_answer_schema
from videoguard.recipes import load_recipe, read_recipe

if TYPE_CHECKING:
    from peft import PeftModel

CONFIGS = Path(__file__).parents[2] / "configs"
WORLD = sorted(path.name for path in CONFIGS.glob("cosmos*.yaml"))
RECIPES = sorted({path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")} - set(WORLD))


@pytest.fixture(params=RECIPES)
def config(request) -> RunConfig:
    return load_recipe(CONFIGS / request.param)


def test_there_are_recipes():
    seeds = ("qved", "kinetics", "video_guard", "fan_timeline", "fan_timeline_mini")
    recipes = {f"{seed}{size}.yaml" for seed in seeds for size in ("", "_tiny")}
    assert {"quickstart.yaml", "quickstart_json.yaml", "quickstart_guard.yaml"} | recipes == set(RECIPES)


@pytest.mark.parametrize("recipe", WORLD)
def test_a_world_recipe_loads(recipe):
    config = read_recipe(WorldConfig, CONFIGS / recipe)
    assert config.name == Path(recipe).stem.replace("_", "-")
    assert config.inputs.batch is not None
    assert {config.output.parts[0], config.inputs.batch.parts[0]} == {"data"}
    assert (config.report.folder, config.execution.state) == (Path("reports"), Path(".video-guard"))


def test_the_world_recipes_are_the_seeds_and_a_tiny_one():
    assert WORLD == ["cosmos.yaml", "cosmos_tiny.yaml"]
    seed = read_recipe(WorldConfig, CONFIGS / "cosmos.yaml")
    assert seed.model.base == "nvidia/Cosmos-Predict2-2B-Video2World"
    [adapter] = seed.adapters
    assert (adapter.rank, adapter.alpha) == (16, 16)
    assert adapter.targets == ("q_proj", "k_proj", "v_proj", "output_proj", "mlp.layer1", "mlp.layer2")


def test_a_recipe_is_named_as_its_file(config, request):
    file = request.node.callspec.params["config"]
    assert config.name == Path(file).stem.replace("_", "-")


def test_a_recipe_writes_only_where_git_ignores(config):
    assert config.data.manifest.parts[0] == "data"
    assert config.report.folder == Path("reports")
    assert config.execution.state == Path(".video-guard")


def test_a_recipe_names_files_that_are_there(config):
    root = CONFIGS.parent
    if config.dataset.answer is not None:
        load_answer_schema(root / config.dataset.answer.json_schema)
    if config.training.deepspeed is not None:
        assert (root / config.training.deepspeed).is_file()


def test_a_tiny_recipe_takes_a_step(config, tmp_path):
    if config.model.tiny is None:
        pytest.skip(f"{config.name} loads {config.model.base}")
    import torch

    from videoguard.dataset.messages import conversation
    from videoguard.models.base import find_base
    from videoguard.models.loading import load_model, load_processor
    from videoguard.models.preprocessing import Preprocessor
    from videoguard.models.tiny.building import build_tiny
    from videoguard.models.tiny.pretraining import texts_for
    from videoguard.training.adapters import attach_adapter
    from videoguard.training.examples import require_trained_tokens

    build_tiny(config.model.tiny, texts_for(config.model.tiny), config.seed, tmp_path)
    base = find_base(str(tmp_path))
    preprocessor = Preprocessor(load_processor(base), base.family)
    shows, side = base.family.media != "text", config.frames.max_side
    frames = np.random.default_rng(0).integers(0, 256, (config.frames.count, side, side, 3), dtype=np.uint8)
    question, answer = config.dataset.question or "Which exercise is this?", "squat - keep the chest up"
    messages = conversation(question, answer, config.dataset.system_prompt, shows=shows)
    example = preprocessor.example(messages, frames if shows else None)
    require_trained_tokens([example])
    batch = preprocessor.collate([example] * min(config.training.batch_size, 4), side="right")
    assert batch["input_ids"].shape[1] <= config.training.max_tokens

    model = attach_adapter(load_model(base, config.model.dtype), config.training.lora, base.family).train()
    adapted = adapted_modules(model)
    targets = config.training.lora.targets
    assert {name.rpartition(".")[2] for name in adapted} == set(targets) or targets == "all-linear"
    assert all("vision" not in name and "projector" not in name for name in adapted)
    optimizer = torch.optim.SGD((parameter for parameter in model.parameters() if parameter.requires_grad), lr=1e-2)
    before = model(**batch).loss
    before.backward()
    optimizer.step()
    after = model(**batch).loss
    assert torch.isfinite(before)
    assert after < before


# Folders with the sizes of the models of the hub, and the weights that base and adapter then have. Those of DialoGPT are
# what the mini run was reported with; in 16 bits the adapter of InternVL3 8B takes the 80 MB that it was reported with. A
# SigLIP of one layer stands in for the vision tower of Gemma 3n, which needs the package timm.
FULL_SIZE = {
    "google/gemma-3n-E2B-it": ("gemma-3n-e2b", None, None),
    "google/gemma-4-e4b-it": ("gemma-4-e4b", None, None),
    "OpenGVLab/InternVL3-8B-hf": ("internvl3-8b", 7_944_373_760, 40_370_176),
    "Qwen/Qwen2.5-7B-Instruct": ("qwen2.5-7b", 7_615_616_512, 40_370_176),
    "microsoft/DialoGPT-medium": ("dialogpt-medium", 354_823_168, 3_145_728),
}


def test_a_full_size_recipe_builds_without_weights(config):
    if config.model.base is None:
        pytest.skip(f"{config.name} builds a tiny model")
    import torch

    from videoguard.estimate.parameters import build_adapted, count_parameters
    from videoguard.models.base import BaseModelFolder, family_of_folder

    name, weights, trained = FULL_SIZE[config.model.base]
    folder = Path(__file__).parent / "models" / name
    family = family_of_folder(folder)
    model = build_adapted(BaseModelFolder(folder, name, "", family), config.training)
    counts = count_parameters(model)
    assert weights in (None, counts.base)
    assert trained in (None, counts.trainable)
    adapted = adapted_modules(model)
    assert len(adapted) >= model.config.get_text_config().num_hidden_layers
    assert all("vision" not in module and "projector" not in module for module in adapted)
    if family.media == "text":
        # On the meta device a step has shapes and no numbers.
        tokens = torch.zeros((config.training.batch_size, 16), dtype=torch.long, device="meta")
        assert model(input_ids=tokens, labels=tokens).loss.shape == ()


def adapted_modules(model: "PeftModel") -> list[str]:
    """Names of the modules that have an adapter; beside them only modules that are saved whole are trained."""
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    adapters = [name for name in trained if ".lora_" in name]
    assert all(".modules_to_save." in name for name in set(trained) - set(adapters))
    return sorted({name.partition(".lora_")[0] for name in adapters})
