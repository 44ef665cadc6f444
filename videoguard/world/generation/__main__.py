"""The generating process."""

from videoguard.world.generation.generate import generate_clips
from videoguard.world.generation.request import GenerationRequest

SERVED = (GenerationRequest, generate_clips)
