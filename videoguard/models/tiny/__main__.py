"""The pre-training process."""

from videoguard.models.tiny.pretraining import pretrain
from videoguard.models.tiny.request import PretrainingRequest
from videoguard.subprocesses import serve

if __name__ == "__main__":
    serve(PretrainingRequest, pretrain)
