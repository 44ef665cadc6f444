"""Clips, one after the other, by one loaded pipeline; one that fails is told by name and the next is begun."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from videoguard.frames.decoding import DecodeError
from videoguard.subprocesses import MemoryExhaustedError
from videoguard.world.generation.request import (
    CLIP,
    CONDITION,
    DONE,
    FAILED,
    RECORD,
    STARTED,
    ClipFacts,
    ClipOrder,
    GenerationReply,
    GenerationRequest,
)
from videoguard.world.guardrail import BlockedError, FailClosed, find_guardrail
from videoguard.world.media import read_condition, write_clip
from videoguard.world.pipeline import World, count_gpus, load_world
from videoguard.world.refiner import Refining, RefiningError, find_refiner

Emit = Callable[[dict[str, object]], None]
Frames = npt.NDArray[np.uint8]
_FAILURES = (DecodeError, BlockedError, RefiningError, MemoryExhaustedError)


def generate_clips(request: GenerationRequest, emit: Emit) -> GenerationReply:
    """Generate every clip of a request into its folder.

    Args:
        request: what to generate with what.
        emit: called as a clip is begun, at each of its steps and when it is done or failed:
            `{"step", "of", "metrics", "clip", "state"?, "reason"?}`.

    Raises:
        UserError: base, adapters, guardrail or refiner are refused.
    """
    guardrail = find_guardrail(request.guardrail)
    refiner = find_refiner(request.refiner, request.refiner_model, request.dtype)
    gpus = count_gpus()
    device = f"cuda:{request.process % gpus}" if gpus else "cpu"
    world = load_world(
        request.base,
        adapters=request.adapters,
        dtype=request.dtype,
        quantization=request.quantization,
        offload=request.offload,
        device=device,
    )
    steps, failed = request.generation.steps, 0
    for number, order in enumerate(request.orders):
        told: dict[str, object] = {"of": steps * len(request.orders), "metrics": {}, "clip": order.key}
        begun = steps * number
        emit({**told, "step": begun, "state": STARTED})
        try:
            _generate(
                world,
                request,
                order,
                guardrail,
                refiner,
                device,
                lambda step: emit({**told, "step": begun + step}),  # noqa: B023  called at once
            )
        except _FAILURES as fault:
            failed += 1
            emit({**told, "step": begun + steps, "state": FAILED, "reason": str(fault)})
        else:
            emit({**told, "step": begun + steps, "state": DONE})
    return GenerationReply(done=len(request.orders) - failed, failed=failed)


def _generate(
    world: World,
    request: GenerationRequest,
    order: ClipOrder,
    guardrail: FailClosed | None,
    refiner: Refining | None,
    device: str,
    on_step: Callable[[int], None],
) -> None:
    how = request.generation
    width, height = how.pixels
    condition = read_condition(order.input, how.condition_frames, width, height)
    if guardrail is not None:
        guardrail.require_prompt(order.prompt)
    refined = None if refiner is None else refiner.refine(order.prompt, condition)
    if guardrail is not None and refined is not None:
        guardrail.require_prompt(refined)
    made = world.generate(
        condition,
        refined or order.prompt,
        weights=order.weights,
        frames=how.frame_count,
        steps=how.steps,
        guidance=how.guidance,
        seed=order.seed,
        negative_prompt=order.negative_prompt,
        on_step=on_step,
    )
    frames = made.frames if guardrail is None else guardrail.pass_video(made.frames)
    facts = ClipFacts(
        prompt=order.prompt,
        refined_prompt=refined,
        guardrail=request.guardrail,
        refiner=request.refiner,
        width=width,
        height=height,
        frames=len(frames),
        fps=how.fps,
        condition_frames=how.condition_frames,
        seed=order.seed,
        weights=order.weights,
        device=device,
        latents_sha256=made.latents_sha256,
        frames_sha256=hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest(),
    )
    _write(order.folder, frames, condition, facts)


def _write(folder: Path, frames: Frames, condition: Frames, facts: ClipFacts) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    write_clip(folder / CLIP, frames, facts.fps)
    for number, frame in enumerate(condition):
        Image.fromarray(frame).save(folder / CONDITION.format(number))
    (folder / RECORD).write_text(facts.model_dump_json(indent=1) + "\n", encoding="utf-8")
