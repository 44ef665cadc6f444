"""Guardrails: what looks at the prompt and at the clip. Whatever goes wrong in one, nothing is generated or shown.

A plug-in is anything with `check_prompt` and `check_video`; `guardrail: package.module:attribute` names a class or function
without arguments that makes one.
"""

import importlib
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from videoguard.config.world import OFF
from videoguard.errors import UserError

Frames = npt.NDArray[np.uint8]


class BlockedError(Exception):
    """A guardrail refused a prompt or a clip, or failed itself; the message says why."""


@runtime_checkable
class Guardrail(Protocol):
    """What looks at prompts and clips."""

    def check_prompt(self, prompt: str) -> str | None:
        """Why a prompt is refused; None where it is not."""
        ...

    def check_video(self, frames: Frames) -> Frames | None:
        """The frames `(frames, height, width, 3) uint8 RGB` that may be shown, faces blurred; None where none may."""
        ...


class NoGuardrail:
    """Stands in the pipeline where there is no guardrail: it does not run without an object of this kind."""

    def to(self, *args: object, **kwargs: object) -> "NoGuardrail":
        """Nothing to move."""
        return self

    def check_text_safety(self, prompt: str) -> bool:
        """Let every prompt pass."""
        return True

    def check_video_safety(self, frames: Frames) -> Frames:
        """Let every clip pass."""
        return frames


class FailClosed:
    """A guardrail whose own failure is a refusal."""

    def __init__(self, guardrail: Guardrail) -> None:
        self._guardrail = guardrail

    def require_prompt(self, prompt: str) -> None:
        """Let a prompt pass.

        Raises:
            BlockedError: it is refused, or could not be looked at.
        """
        try:
            reason = self._guardrail.check_prompt(prompt)
        except Exception as fault:
            raise BlockedError(f"the guardrail failed on the prompt, which counts as a refusal: {fault}") from fault
        if reason is not None:
            raise BlockedError(f"the guardrail refused the prompt: {reason}")

    def pass_video(self, frames: Frames) -> Frames:
        """The frames that may be shown, as many and as large as they were.

        Raises:
            BlockedError: none may, or the guardrail failed.
        """
        try:
            passed = self._guardrail.check_video(frames)
        except Exception as fault:
            raise BlockedError(f"the guardrail failed on the clip, which counts as a refusal: {fault}") from fault
        if passed is None:
            raise BlockedError("the guardrail refused the clip")
        if passed.shape != frames.shape or passed.dtype != frames.dtype:
            raise BlockedError(f"the guardrail gave frames of another shape, {passed.shape}: it counts as a refusal")
        return passed


class CosmosGuardrail:
    """NVIDIA's guardrail by the package cosmos-guardrail: a list of words and Qwen3Guard for prompts, faces are blurred.

    Raises:
        UserError: the package is not installed, or its models cannot be had.
    """

    def __init__(self) -> None:
        try:
            package: Any = importlib.import_module("cosmos_guardrail")
        except ImportError as lacking:
            raise UserError(
                f"safety.guardrail is cosmos: the package cosmos-guardrail cannot be loaded ({lacking}): install it, name a "
                "guardrail of your own, or generate without one by --no-guardrail, which every clip's record tells"
            ) from None
        try:
            self._checker = package.CosmosSafetyChecker()
        except (OSError, ValueError) as fault:
            first = str(fault).strip().splitlines()[0]
            raise UserError(
                f"safety.guardrail is cosmos: its models cannot be loaded ({first}): check the network and `hf auth login`, "
                "or generate without one by --no-guardrail, which every clip's record tells"
            ) from None

    def check_prompt(self, prompt: str) -> str | None:
        """Ask each of its filters; one with a language model lets prompts pass when it fails: its inner part is asked."""
        filters = self._checker.text_guardrail.safety_models
        if not filters:
            return "there is no text filter"
        for each in filters:
            ask = getattr(each, "extract_label_and_categories", each.is_safe)
            is_safe, message = ask(prompt)
            if not is_safe:
                return f"{type(each).__name__}: {message}" if message else type(each).__name__
        return None

    def check_video(self, frames: Frames) -> Frames | None:
        """Its filters, then blurred faces."""
        passed = self._checker.check_video_safety(frames)
        return None if passed is None else np.asarray(passed, dtype=np.uint8)


def find_guardrail(name: str) -> FailClosed | None:
    """The guardrail of a recipe; None where it is switched off.

    Raises:
        UserError: it cannot be loaded.
    """
    if name == OFF:
        return None
    if name == "cosmos":
        return FailClosed(CosmosGuardrail())
    made = make_plugin("safety.guardrail", name)
    if not isinstance(made, Guardrail):
        raise UserError(f"safety.guardrail is {name}: it must have check_prompt(prompt) and check_video(frames)")
    return FailClosed(made)


def make_plugin(setting: str, name: str) -> object:
    """What a plug-in `package.module:attribute` makes when it is called without arguments.

    Raises:
        UserError: there is no such module or attribute, or it cannot be called.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        raise UserError(f"{setting} is {name}: it must be a known name, `off`, or package.module:attribute")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as lacking:
        raise UserError(f"{setting} is {name}: it cannot be loaded ({lacking})") from None
    if not callable(found):
        raise UserError(f"{setting} is {name}: it must be a class or function that takes no arguments")
    made: object = found()
    return made
