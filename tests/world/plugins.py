"""Guardrails and refiners that tests name as plug-ins."""

import os


class Strict:
    """Refuses prompts with a word, and blacks clips out."""

    def check_prompt(self, prompt):
        return "it says bomb" if "bomb" in prompt else None

    def check_video(self, frames):
        return frames * 0


class Broken:
    """Fails on everything."""

    def check_prompt(self, prompt):
        raise RuntimeError("no model")

    def check_video(self, frames):
        raise RuntimeError("no model")


class Blind:
    """Lets prompts pass and no clip."""

    def check_prompt(self, prompt):
        return None

    def check_video(self, frames):
        return None


class Deadly:
    """Ends the process where the prompt says so."""

    def check_prompt(self, prompt):
        if "end" in prompt:
            os._exit(9)

    def check_video(self, frames):
        return frames


class Longer:
    """Writes a longer prompt."""

    def refine(self, prompt, frames):
        return f"{prompt}, seen by a static camera after {len(frames)} frames"


class Mute:
    """Gives no text."""

    def refine(self, prompt, frames):
        return "  "
