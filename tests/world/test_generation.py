"""Clips of one process: what fails is named, the next is begun; a guardrail that fails refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoguard.config.world import GenerationSection
from videoguard.errors import UserError
from videoguard.world.generation.generate import generate_clips
from videoguard.world.generation.request import ClipOrder, GenerationRequest
from videoguard.world.generation.running import run_orders
from videoguard.world.media import read_clip

HOW = GenerationSection(size=(96, 64), frames=9, steps=1, condition_frames=5)
PLUGINS = "tests.world.plugins"


@pytest.fixture
def request_of(tiny_world, long_video, tmp_path):
    """Builds a request for a clip of each prompt."""

    def build(*prompts: str, guardrail: str = "off", refiner: str = "off", **inputs: Path) -> GenerationRequest:
        orders = [
            ClipOrder(
                key=prompt,
                input=inputs.get(prompt, long_video),
                prompt=prompt,
                negative_prompt=None,
                seed=0,
                weights={},
                folder=tmp_path / prompt,
            )
            for prompt in prompts
        ]
        return GenerationRequest(
            base=tiny_world,
            adapters={},
            dtype="float32",
            quantization="none",
            offload="none",
            process=0,
            generation=HOW,
            guardrail=guardrail,
            refiner=refiner,
            refiner_model="none",
            orders=tuple(orders),
        )

    return build


def outcomes(request: GenerationRequest) -> dict[str, str]:
    """State, or the reason of the failure, of each clip, by its prompt."""
    told: dict[str, str] = {}

    def listen(event: dict[str, Any]) -> None:
        if event.get("state") in {"done", "failed"}:
            told[event["clip"]] = event.get("reason") or event["state"]

    generate_clips(request, listen)
    return told


def test_a_bad_input_is_named_and_the_next_clip_is_made(request_of, shared, tmp_path):
    bad = shared / "data" / "hard" / "text.mp4"
    assert outcomes(request_of("one", "two", "three", two=bad)) == {
        "one": "done",
        "two": "it is not a video file",
        "three": "done",
    }
    assert not (tmp_path / "two").exists()
    record = json.loads((tmp_path / "one" / "clip.json").read_text())
    assert (record["guardrail"], record["refiner"], record["refined_prompt"]) == ("off", "off", None)
    assert len(read_clip(tmp_path / "three" / "clip.mp4")) == 9
    assert len(list((tmp_path / "three").glob("condition-*.png"))) == 5


def test_a_guardrail_refuses_prompts_and_changes_clips(request_of, tmp_path):
    told = outcomes(request_of("a bomb", "a ball", guardrail=f"{PLUGINS}:Strict"))
    assert told == {"a bomb": "the guardrail refused the prompt: it says bomb", "a ball": "done"}
    # The file holds what the guardrail gave back.
    assert read_clip(tmp_path / "a ball" / "clip.mp4").max() < 20
    assert json.loads((tmp_path / "a ball" / "clip.json").read_text())["guardrail"] == f"{PLUGINS}:Strict"


def test_a_guardrail_that_fails_refuses(request_of, tmp_path):
    told = outcomes(request_of("a ball", guardrail=f"{PLUGINS}:Broken"))
    assert told == {"a ball": "the guardrail failed on the prompt, which counts as a refusal: no model"}
    assert outcomes(request_of("a ball", guardrail=f"{PLUGINS}:Blind")) == {"a ball": "the guardrail refused the clip"}
    assert not (tmp_path / "a ball").exists()


def test_a_refined_prompt_is_recorded_and_looked_at_too(request_of, tmp_path):
    refined = request_of("a ball", guardrail="off", refiner=f"{PLUGINS}:Longer")
    assert outcomes(refined) == {"a ball": "done"}
    record = json.loads((tmp_path / "a ball" / "clip.json").read_text())
    assert record["refined_prompt"] == "a ball, seen by a static camera after 5 frames"
    assert outcomes(request_of("a ball", refiner=f"{PLUGINS}:Mute")) == {"a ball": "the prompt refiner gave no text"}


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"guardrail": "cosmos"}, "safety.guardrail is cosmos: the package cosmos-guardrail cannot be loaded"),
        ({"guardrail": "nonsense"}, "safety.guardrail is nonsense: it must be a known name, `off`, or package.module"),
        ({"guardrail": f"{PLUGINS}:Absent"}, "cannot be loaded"),
        ({"guardrail": f"{PLUGINS}:Longer"}, "it must have check_prompt"),
        ({"refiner": f"{PLUGINS}:Strict"}, "it must have refine"),
        ({"refiner": "vision"}, "safety.refiner is vision: its model none cannot be loaded"),
    ],
)
def test_what_cannot_look_at_a_clip_lets_none_be_made(request_of, names, reason):
    with pytest.raises(UserError, match=reason):
        outcomes(request_of("a ball", **names))


def test_a_vision_language_model_refines(tiny_family):
    from videoguard.world.refiner import RefiningError, find_refiner

    refiner = find_refiner("vision", str(tiny_family("qwen2_5_vl")), "float32")
    assert refiner is not None
    frames = np.zeros((1, 64, 96, 3), dtype=np.uint8)

    def refined() -> str:
        try:
            return refiner.refine("a ball rolls", frames)
        except RefiningError as empty:
            return str(empty)

    # Random weights write nonsense, but the same each time.
    assert refined() == refined()


def test_a_clip_that_ends_the_process_is_named_and_the_others_are_made(request_of, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    made: list[str] = []
    failed = run_orders(
        request_of("one", "the end", "three", guardrail=f"{PLUGINS}:Deadly"),
        threads=1,
        on_done=lambda order: made.append(order.key),
        on_event=lambda event: None,
    )
    assert made == ["one", "three"]
    assert list(failed) == ["the end"]
    assert failed["the end"].startswith("it ended the process 2 times: videoguard.world.generation ended with status 9")
