"""Prompt refiners: short prompts become the long descriptions that the model was trained on.

A plug-in has `refine`; `refiner: package.module:attribute` names a class or function without arguments that makes one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from videoguard.config.world import OFF
from videoguard.errors import UserError
from videoguard.world.guardrail import make_plugin

if TYPE_CHECKING:
    import torch

_INSTRUCTION = (
    "You write prompts for a model that continues video. Look at the picture, which is where the video stands, and describe "
    "in one paragraph of at most 200 words what happens next: the scene, the camera, who or what moves and how, the light. "
    "Keep everything that the user asks for and invent nothing against it. Answer with the paragraph alone.\n\n"
    "The user asks for: "
)
_LONGEST = 400
"""Tokens; the text encoder reads 512."""


class RefiningError(Exception):
    """A prompt could not be refined; the message says why."""


@runtime_checkable
class Refiner(Protocol):
    """What rewrites prompts."""

    def refine(self, prompt: str, frames: npt.NDArray[np.uint8]) -> str:
        """The prompt to generate by, given the condition frames `(frames, height, width, 3) uint8 RGB`."""
        ...


class VisionRefiner:
    """A vision-language model that looks at the last condition frame.

    Args:
        model: folder or hub name, such as nvidia/Cosmos-Reason1-7B.
        dtype: of its weights.

    Raises:
        UserError: it cannot be loaded.
    """

    def __init__(self, model: str, dtype: str) -> None:
        from videoguard.models.base import find_base
        from videoguard.models.loading import load_model, load_processor
        from videoguard.models.preprocessing import Preprocessor

        base = find_base(model)
        self._preprocessor = Preprocessor(load_processor(base), base.family)
        self._model = load_model(base, dtype)

    def refine(self, prompt: str, frames: npt.NDArray[np.uint8]) -> str:
        """Ask for a longer prompt, greedily: the same prompt and picture give the same text."""
        import torch

        from videoguard.dataset.messages import conversation

        example = self._preprocessor.prompt(conversation(_INSTRUCTION + prompt, None, None), frames[-1:])
        batch = self._preprocessor.collate([example], side="left")
        batch = {name: tensor.to(self._model.device) for name, tensor in batch.items()}
        generate = cast("Callable[..., torch.Tensor]", self._model.generate)
        with torch.inference_mode():
            told = generate(**batch, max_new_tokens=_LONGEST, do_sample=False, eos_token_id=self._preprocessor.ends)
        text = self._preprocessor.decode(told[0, batch["input_ids"].shape[1] :])
        # Models that reason say so before their answer.
        return text.rpartition("</think>")[2].strip().removeprefix("<answer>").removesuffix("</answer>").strip()


class Refining:
    """A refiner whose failure is the item's: the prompt as it was would give another clip than was asked for."""

    def __init__(self, refiner: Refiner) -> None:
        self._refiner = refiner

    def refine(self, prompt: str, frames: npt.NDArray[np.uint8]) -> str:
        """The refined prompt.

        Raises:
            RefiningError: the refiner failed, or gave no text.
        """
        try:
            refined = self._refiner.refine(prompt, frames)
        except Exception as fault:
            raise RefiningError(f"the prompt refiner failed: {fault}") from fault
        if not refined.strip():
            raise RefiningError("the prompt refiner gave no text")
        return refined


def find_refiner(name: str, model: str, dtype: str) -> Refining | None:
    """The refiner of a recipe; None where it is switched off.

    Raises:
        UserError: it cannot be loaded.
    """
    if name == OFF:
        return None
    if name == "vision":
        try:
            return Refining(VisionRefiner(model, dtype))
        except UserError as lacking:
            raise UserError(
                f"safety.refiner is vision: its model {model} cannot be loaded ({lacking}): give safety.refiner_model, or "
                "use prompts as they are by --no-refiner, which every clip's record tells"
            ) from None
    made = make_plugin("safety.refiner", name)
    if not isinstance(made, Refiner):
        raise UserError(f"safety.refiner is {name}: it must have refine(prompt, frames)")
    return Refining(made)
