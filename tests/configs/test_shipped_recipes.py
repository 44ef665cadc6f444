"""Every recipe under configs/ loads, builds its model and takes one step of training."""

from pathlib import Path

import numpy as np
import pytest

from videoguard.config import RunConfig
from videoguard.recipes import load_recipe

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPES = sorted(path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml"))


@pytest.fixture(params=RECIPES)
def config(request) -> RunConfig:
    return load_recipe(CONFIGS / request.param)


def test_there_are_recipes():
    assert {"quickstart.yaml", "quickstart_json.yaml", "qved_tiny.yaml"} <= set(RECIPES)


def test_a_recipe_is_named_as_its_file(config, request):
    file = request.node.callspec.params["config"]
    assert config.name == Path(file).stem.replace("_", "-")


def test_a_recipe_writes_only_where_git_ignores(config):
    assert config.data.manifest.parts[0] == "data"
    assert config.report.folder == Path("reports")
    assert config.execution.state == Path(".video-guard")


def test_the_model_of_a_recipe_takes_a_step(config, tmp_path):
    if config.model.tiny is None:
        pytest.skip(f"{config.name} loads {config.model.base}")
    import torch

    from videoguard.dataset.messages import conversation
    from videoguard.models.base import find_base
    from videoguard.models.loading import load_model, load_processor
    from videoguard.models.preprocessing import Preprocessor
    from videoguard.models.tiny.building import build_tiny
    from videoguard.models.tiny.pretraining import tokenizer_corpus
    from videoguard.training.adapters import attach_adapter

    build_tiny(config.model.tiny, tokenizer_corpus(), config.seed, tmp_path)
    base = find_base(str(tmp_path))
    preprocessor = Preprocessor(load_processor(base), base.family)
    side = config.frames.max_side
    frames = np.random.default_rng(0).integers(0, 256, (config.frames.count, side, side, 3), dtype=np.uint8)
    question, answer = config.dataset.question or "Which exercise is this?", "squat - keep the chest up"
    messages = conversation(question, answer, config.dataset.system_prompt)
    batch = preprocessor.collate([preprocessor.example(messages, frames)] * config.training.batch_size, side="right")
    assert batch["input_ids"].shape[1] <= config.training.max_tokens

    model = attach_adapter(load_model(base, config.model.dtype), config.training.lora, base.family).train()
    adapted = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(adapted) == 2 * len(config.training.lora.targets) * config.model.tiny.layers
    assert all("language_model" in name and "lora_" in name for name in adapted)
    optimizer = torch.optim.SGD((parameter for parameter in model.parameters() if parameter.requires_grad), lr=1e-2)
    before = model(**batch).loss
    before.backward()
    optimizer.step()
    after = model(**batch).loss
    assert torch.isfinite(before)
    assert after < before
