"""The training process."""

from videoguard.subprocesses import serve
from videoguard.world.training.request import WorldTrainingRequest
from videoguard.world.training.train import train_world_adapter

if __name__ == "__main__":
    serve(WorldTrainingRequest, train_world_adapter)
