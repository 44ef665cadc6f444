"""The training itself: clips and prompts in, an adapter out; the base is not changed."""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from videoguard.errors import UserError
from videoguard.world.adapters.checks import AdapterFacts, matches
from videoguard.world.adapters.converting import peft_settings
from videoguard.world.adapters.files import CONFIG, WEIGHTS
from videoguard.world.adapters.names import diffusers_name
from videoguard.world.architecture import Architecture, read_architecture
from videoguard.world.pipeline import MODEL_FPS, World, count_gpus, load_world
from videoguard.world.training.checkpoints import newest_checkpoint, save_checkpoint
from videoguard.world.training.encoding import Encoded, encode_examples
from videoguard.world.training.request import ADAPTER, LOG, WorldTrainingReply, WorldTrainingRequest

Emit = Callable[[dict[str, object]], None]
NAME = "trained"
_SIGMA_CONDITION = 1e-4
"""Noise that the pipeline tells of the condition frames, though they have none."""


def train_world_adapter(request: WorldTrainingRequest, emit: Emit) -> WorldTrainingReply:
    """Train an adapter and write it to `request.output` as a peft folder in diffusers' words, with its curve.

    All that is random in a step is drawn from the seed and the number of the step, so that a training which goes on from a
    checkpoint takes the steps of an undisturbed one and ends with the same bytes.

    Raises:
        UserError: a target matches no module, or no clip can be read.
    """
    started, how = time.monotonic(), request.training
    device = "cuda:0" if count_gpus() else "cpu"
    facts = _plan(read_architecture(request.base), request)
    torch.manual_seed(request.seed)
    world = load_world(request.base, dtype=request.dtype, device=device)
    examples, left_out = encode_examples(world, request.examples, request.generation)
    if not examples:
        told = "\n".join(f"  - {video}: {reason}" for video, reason in left_out.items())
        raise UserError(f"training.batch {how.batch}: none of its clips can be learnt from\n{told}")
    lora = _attach(world, facts, gradient_checkpointing=how.gradient_checkpointing)
    optimizer = torch.optim.AdamW(lora.values(), lr=how.learning_rate, weight_decay=0.0)
    losses, first = _restore(request.checkpoints, lora, optimizer)
    if first:
        emit({"step": first, "of": how.steps, "metrics": {}, "note": f"resumed from step {first}"})
    for step in range(first, how.steps):
        for group in optimizer.param_groups:
            group["lr"] = how.learning_rate * min(1.0, (step + 1) / max(how.warmup_steps, 1))
        losses.append(_take_step(world, request, examples, optimizer, step, device))
        done = step + 1
        if done % how.log_every == 0 or done == how.steps:
            emit({"step": done, "of": how.steps, "metrics": {"loss": fmean(losses[-how.log_every :])}})
        if done % how.checkpoint_every == 0 or done == how.steps:
            weights = {name: weight.detach().cpu() for name, weight in lora.items()}
            state = {"lora": weights, "optimizer": optimizer.state_dict(), "losses": losses}
            save_checkpoint(request.checkpoints, done, state)
    _write(request.output, facts, lora, losses, how.log_every)
    tenth = max(1, how.steps // 10)
    return WorldTrainingReply(
        examples=len(examples),
        left_out={str(video): reason for video, reason in left_out.items()},
        steps=how.steps,
        first_loss=fmean(losses[:tenth]),
        last_loss=fmean(losses[-tenth:]),
        trainable_parameters=facts.lora_parameters,
        base_parameters=facts.base_parameters,
        resumed_from=first or None,
        seconds=time.monotonic() - started,
    )


def flow_matching_loss(
    world: World,
    latents: torch.Tensor,
    prompts: torch.Tensor,
    noise: torch.Tensor,
    time_of_noise: torch.Tensor,
    condition_latents: int,
    padding: torch.Tensor,
) -> torch.Tensor:
    """Mean squared error of the predicted velocity `noise − latents`, over the frames that are not the condition.

    A clip at time t is `(1 − t) · latents + t · noise` (Lipman et al. 2023, https://arxiv.org/abs/2210.02747); the condition
    frames stay without noise, as the pipeline has them.

    Args:
        world: the pipeline with the adapter switched on.
        latents: `(batch, channels, frames, height, width)`, as `noise`.
        prompts: `(batch, tokens, width)`.
        noise: standard normal.
        time_of_noise: `(batch,)`, between 0 and 1.
        condition_latents: how many of the first latent frames are the condition.
        padding: `(1, 1, height, width)` in pixels, zeros.
    """
    transformer = world.pipeline.transformer
    dtype = transformer.dtype
    is_condition = torch.zeros(1, 1, latents.shape[2], 1, 1, device=latents.device)
    is_condition[:, :, :condition_latents] = 1
    when = time_of_noise.view(-1, 1, 1, 1, 1)
    mixed = (1 - when) * latents + when * noise
    entered = is_condition * latents + (1 - is_condition) * mixed
    told = is_condition * (_SIGMA_CONDITION / (1 + _SIGMA_CONDITION)) + (1 - is_condition) * when
    predicted = transformer(
        hidden_states=entered.to(dtype),
        timestep=told.to(dtype),
        encoder_hidden_states=prompts.to(dtype),
        fps=MODEL_FPS,
        condition_mask=is_condition.expand(len(latents), 1, -1, *latents.shape[-2:]).to(dtype),
        padding_mask=padding.to(dtype),
        return_dict=False,
    )[0].float()
    error = ((predicted - (noise - latents)) ** 2)[:, :, condition_latents:]
    loss: torch.Tensor = error.mean()
    return loss


def _take_step(
    world: World,
    request: WorldTrainingRequest,
    examples: Sequence[Encoded],
    optimizer: torch.optim.Optimizer,
    step: int,
    device: str,
) -> float:
    how = request.training
    # Drawn on the CPU, so that a GPU sees the same.
    random = torch.Generator().manual_seed(request.seed * 1_000_003 + step)
    chosen = torch.randint(len(examples), (how.batch_size,), generator=random).tolist()
    latents = torch.stack([examples[number].latents for number in chosen])
    prompts = torch.stack([examples[number].prompt for number in chosen])
    keeps = torch.rand(how.batch_size, generator=random) >= how.text_dropout
    noise = torch.randn(latents.shape, generator=random)
    # Logit-normal times (Esser et al. 2024, https://arxiv.org/abs/2403.03206): most of them in the middle.
    time_of_noise = torch.sigmoid(torch.randn(how.batch_size, generator=random))
    width, height = request.generation.pixels
    loss = flow_matching_loss(
        world,
        latents.to(device),
        (prompts * keeps.view(-1, 1, 1)).to(device),
        noise.to(device),
        time_of_noise.to(device),
        (request.generation.condition_frames - 1) // 4 + 1,
        torch.zeros(1, 1, height, width, device=device),
    )
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([weight for group in optimizer.param_groups for weight in group["params"]], 1.0)
    optimizer.step()
    value = float(loss.detach())
    if not math.isfinite(value):
        raise UserError(
            f"training.learning_rate is {how.learning_rate}: the loss of step {step + 1} is not a number: take a lower one"
        )
    return value


def _plan(model: Architecture, request: WorldTrainingRequest) -> AdapterFacts:
    """The adapter that will come out.

    Raises:
        UserError: a target matches no module.
    """
    how = request.training
    targets = [diffusers_name(target) for target in how.targets]
    idle = [target for target in targets if not any(matches(module, [target]) for module in model.linear)]
    if idle:
        raise UserError(f"training.targets: {', '.join(idle)} match no module of {model.name}")
    modules = [module for module in model.linear if matches(module, targets)]
    return AdapterFacts(
        path=str(request.output),
        layout="peft",
        rank=how.rank,
        ranks={},
        alpha=how.alpha,
        alpha_is_assumed=False,
        use_rslora=False,
        targets=targets,
        modules=modules,
        compared_with=model.name,
        base_parameters=model.parameters,
        lora_parameters=sum(how.rank * sum(model.linear[module]) for module in modules),
    )


def _attach(world: World, facts: AdapterFacts, *, gradient_checkpointing: bool) -> dict[str, torch.nn.Parameter]:
    """Put new LoRA layers into the transformer and freeze the rest; their weights by module and half."""
    from peft import LoraConfig

    transformer = world.pipeline.transformer
    transformer.requires_grad_(False)
    settings: dict[str, Any] = {name: value for name, value in peft_settings(facts).items() if name != "peft_type"}
    transformer.add_adapter(LoraConfig(**settings), adapter_name=NAME)
    if gradient_checkpointing:
        transformer.enable_gradient_checkpointing()
    transformer.train()
    found: dict[str, torch.nn.Parameter] = {}
    for name, weight in transformer.named_parameters():
        module, lora, rest = name.partition(".lora_")
        if lora:
            # Trained in 32 bits, whatever the base is held in.
            weight.data = weight.data.float()
            weight.requires_grad_(True)
            found[f"{module}.lora_{rest[0]}"] = weight
    return dict(sorted(found.items()))


def _restore(folder: Path, lora: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> tuple[list[float], int]:
    """Losses so far and the number of steps done, with weights and optimizer as they were then."""
    found = newest_checkpoint(folder)
    if found is None:
        return [], 0
    step, state = found
    for name, weight in lora.items():
        weight.data.copy_(state["lora"][name])
    optimizer.load_state_dict(state["optimizer"])
    return list(state["losses"]), step


def _write(
    output: Path, facts: AdapterFacts, lora: dict[str, torch.nn.Parameter], losses: Sequence[float], log_every: int
) -> None:
    from safetensors.torch import save_file

    folder = output / ADAPTER
    folder.mkdir(parents=True, exist_ok=True)
    named = {f"base_model.model.{name}.weight": weight.detach().cpu().contiguous() for name, weight in lora.items()}
    save_file(named, str(folder / WEIGHTS), metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(peft_settings(facts), indent=1) + "\n", encoding="utf-8")
    points = [
        {"step": end, "loss": fmean(losses[max(0, end - log_every) : end])}
        for end in range(log_every, len(losses) + log_every, log_every)
        if end - log_every < len(losses)
    ]
    lines = [json.dumps({**point, "step": min(int(point["step"]), len(losses))}) for point in points]
    (output / LOG).write_text("\n".join(lines) + "\n", encoding="utf-8")
