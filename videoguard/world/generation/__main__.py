"""The generating process."""

from videoguard.subprocesses import serve
from videoguard.world.generation.generate import generate_clips
from videoguard.world.generation.request import GenerationRequest

if __name__ == "__main__":
    serve(GenerationRequest, generate_clips)
