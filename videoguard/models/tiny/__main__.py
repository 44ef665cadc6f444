"""The pre-training process."""

from videoguard.models.tiny.pretraining import pretrain
from videoguard.models.tiny.request import PretrainingRequest

SERVED = (PretrainingRequest, pretrain)
