"""The inference process."""

from videoguard.dataset.building import read_split
from videoguard.inference.guard.answering import answer_streams, is_guard_split
from videoguard.inference.infer import infer
from videoguard.inference.request import InferenceReply, InferenceRequest
from videoguard.subprocesses import Emit


def answer(request: InferenceRequest, emit: Emit) -> InferenceReply:
    """Answer every test sample; guarded videos are judged as streams."""
    return (answer_streams if is_guard_split(read_split(request.dataset, "test")) else infer)(request, emit)


SERVED = (InferenceRequest, answer)
