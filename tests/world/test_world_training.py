"""Post-training: the loss falls, a killed training ends with the same bytes, the base stays as it was."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videoguard.config.world import GenerationSection, WorldTraining
from videoguard.errors import UserError
from videoguard.world.adapters.checks import check_adapter
from videoguard.world.adapters.files import read_adapter
from videoguard.world.architecture import read_architecture
from videoguard.world.base import WorldBase, digest_base
from videoguard.world.demo import write_demo
from videoguard.world.pipeline import load_world
from videoguard.world.training.request import TrainingExample, WorldTrainingReply, WorldTrainingRequest
from videoguard.world.training.train import flow_matching_loss, train_world_adapter

HOW = GenerationSection(size=(96, 64), frames=9, steps=1, condition_frames=5)
STEPS = 30


@pytest.fixture(scope="module")
def request_of(tiny_world, tmp_path_factory) -> Callable[..., WorldTrainingRequest]:
    """Builds a request for a training that writes to a folder; settings may be changed."""
    demo: Path = tmp_path_factory.mktemp("demo")
    write_demo(demo, videos=2)
    (demo / "text.mp4").write_text("no video")

    def build(output: Path, **changes: object) -> WorldTrainingRequest:
        settings = {
            "batch": demo / "training.json",
            "rank": 4,
            "alpha": 8,
            "steps": STEPS,
            "batch_size": 2,
            "learning_rate": 5e-3,
            "warmup_steps": 2,
            "checkpoint_every": 10,
            **changes,
        }
        return WorldTrainingRequest(
            base=tiny_world,
            dtype="float32",
            generation=HOW,
            training=WorldTraining.model_validate(settings),
            seed=0,
            examples=tuple(
                TrainingExample(video=demo / name, prompt=f"a figure {name}")
                for name in ("demo_0.mp4", "demo_1.mp4", "text.mp4")
            ),
            checkpoints=output / "checkpoints",
            output=output,
        )

    return build


@pytest.fixture(scope="module")
def trained(request_of, tiny_world, tmp_path_factory) -> tuple[Path, WorldTrainingReply, str]:
    """A training that went through: its folder, its reply, and the digest of the base before."""
    folder: Path = tmp_path_factory.mktemp("trained")
    before = digest_base(WorldBase("tiny", tiny_world))
    return folder, train_world_adapter(request_of(folder), lambda event: None), before


def test_the_loss_falls_and_a_bad_clip_is_named(trained):
    folder, reply, _ = trained
    assert reply.last_loss < 0.9 * reply.first_loss
    assert (reply.examples, reply.steps, reply.resumed_from) == (2, STEPS, None)
    [(video, reason)] = reply.left_out.items()
    assert (Path(video).name, reason) == ("text.mp4", "it is not a video file")
    points = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [point["step"] for point in points] == [10, 20, 30]
    assert points[0]["loss"] > points[-1]["loss"]


def test_the_adapter_fits_its_base_and_changes_the_latents(trained, tiny_world):
    import numpy as np

    folder, reply, _ = trained
    facts = check_adapter(read_adapter(folder / "adapter"), read_architecture(tiny_world))
    assert (facts.rank, facts.alpha, len(facts.modules)) == (4, 8.0, 20)
    assert facts.lora_parameters == reply.trainable_parameters
    world = load_world(tiny_world, adapters={"trained": folder / "adapter"})
    grey = np.full((5, 64, 96, 3), 128, dtype=np.uint8)
    seen = {
        weight: world.generate(
            grey, "a", weights={"trained": weight}, frames=9, steps=2, guidance=1.0, seed=0
        ).latents_sha256
        for weight in (0.0, 1.0)
    }
    assert seen[0.0] != seen[1.0]


def test_the_base_is_unchanged(trained, tiny_world):
    assert digest_base(WorldBase("tiny", tiny_world)) == trained[2]


class KilledError(Exception):
    """Ends a training as a kill would."""


@pytest.mark.parametrize("at", [10, 25], ids=["before the first checkpoint", "between two"])
def test_a_killed_training_ends_with_the_same_bytes(request_of, trained, tmp_path, at):
    def kill(event: dict[str, Any]) -> None:
        if event["step"] == at:
            raise KilledError

    with pytest.raises(KilledError):
        train_world_adapter(request_of(tmp_path, log_every=5), kill)
    # A kill may also leave a torn checkpoint behind.
    torn = tmp_path / "checkpoints" / "step-29"
    if (tmp_path / "checkpoints" / "step-20").is_dir():
        shutil.copytree(tmp_path / "checkpoints" / "step-20", torn)
        (torn / "state.pt").write_bytes((torn / "state.pt").read_bytes()[:-100])
    reply = train_world_adapter(request_of(tmp_path), lambda event: None)
    assert reply.resumed_from == {10: None, 25: 20}[at]
    for name in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "log.jsonl"):
        assert (tmp_path / name).read_bytes() == (trained[0] / name).read_bytes()


def test_only_the_frames_after_the_condition_are_learnt(tiny_world):
    import torch

    world = load_world(tiny_world)
    random = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(1, 16, 3, 8, 12, generator=random) for _ in range(2))
    prompts, when, padding = torch.zeros(1, 4, 32), torch.tensor([0.5]), torch.zeros(1, 1, 64, 96)

    def loss(noise: torch.Tensor, condition: int) -> float:
        with torch.no_grad():
            return float(flow_matching_loss(world, latents, prompts, noise, when, condition, padding))

    other = noise.clone()
    other[:, :, :2] += 1
    # The condition has no noise and its prediction does not count.
    assert loss(noise, 2) == loss(other, 2)
    assert loss(noise, 1) != loss(other, 1)


def test_the_velocity_is_what_the_pipeline_denoises_by(tiny_world):
    """By a transformer that gives the true velocity, the loss is nothing and the pipeline's own formula gives the clip."""
    import torch

    world = load_world(tiny_world)
    random = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(1, 16, 3, 8, 12, generator=random) for _ in range(2))
    world.pipeline.transformer.forward = lambda **named: (noise - latents,)
    when = torch.tensor([0.8])
    lost = flow_matching_loss(world, latents, torch.zeros(1, 4, 32), noise, when, 1, torch.zeros(1, 1, 64, 96))
    assert float(lost) == 0
    # diffusers' denoising of sigma = t / (1 - t): c_skip · noisy + c_out · predicted, c_skip = 1 - t, c_out = -t.
    sigma = when / (1 - when)
    denoised = (1 - when) * (latents + sigma * noise) - when * (noise - latents)
    torch.testing.assert_close(denoised, latents, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"targets": ["q_proj", "gate_proj"]}, "training.targets: gate_proj match no module")],
)
def test_targets_that_match_nothing(request_of, tmp_path, changes, reason):
    with pytest.raises(UserError, match=reason):
        train_world_adapter(request_of(tmp_path, **changes), lambda event: None)


def test_no_clip_to_learn_from(request_of, tmp_path):
    request = request_of(tmp_path)
    with pytest.raises(UserError, match=r"none of its clips can be learnt from\n  - .*text.mp4: it is not a video file"):
        train_world_adapter(request.model_copy(update={"examples": request.examples[2:]}), lambda event: None)
