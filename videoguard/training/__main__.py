"""The training process."""

from videoguard.subprocesses import serve
from videoguard.training.request import TrainingRequest
from videoguard.training.train import train

if __name__ == "__main__":
    serve(TrainingRequest, train)
