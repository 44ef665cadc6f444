"""The measuring process: clips are decoded apart from the flow."""

from videoguard.subprocesses import Emit
from videoguard.world.evaluation.measures import measure
from videoguard.world.evaluation.request import MeasureReply, MeasureRequest


def measure_clips(request: MeasureRequest, emit: Emit) -> MeasureReply:
    """Measure each clip."""
    found = []
    for number, (clip, base) in enumerate(request.clips, start=1):
        found.append(measure(clip, base))
        emit({"step": number, "of": len(request.clips), "metrics": {}})
    return MeasureReply(measures=tuple(found))


SERVED = (MeasureRequest, measure_clips)
