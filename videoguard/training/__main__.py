"""The training process: trains itself, or starts the processes that do."""

from videoguard.training.launching import launch
from videoguard.training.request import TrainingRequest

SERVED = (TrainingRequest, launch)
