"""The training process."""

from videoguard.world.training.request import WorldTrainingRequest
from videoguard.world.training.train import train_world_adapter

SERVED = (WorldTrainingRequest, train_world_adapter)
