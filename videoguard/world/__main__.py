"""The process that builds a tiny pipeline: libraries that take seconds to load stay out of the flow."""

from videoguard.subprocesses import Emit
from videoguard.world.tiny import BuildReply, BuildRequest, build_tiny_world


def build(request: BuildRequest, emit: Emit) -> BuildReply:
    """Build the pipeline."""
    build_tiny_world(request.size, request.seed, request.output)
    return BuildReply()


SERVED = (BuildRequest, build)
