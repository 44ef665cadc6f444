"""The training process: trains itself, or starts the processes that do."""

from videoguard.subprocesses import serve
from videoguard.training.launching import launch
from videoguard.training.request import TrainingRequest

if __name__ == "__main__":
    serve(TrainingRequest, launch)
