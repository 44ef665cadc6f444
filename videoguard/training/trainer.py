"""transformers' `Trainer` with what it leaves open: the order of the examples, rates by part, counts, and a task's score."""

from collections.abc import Callable
from typing import Any

import torch
from peft import PeftModel
from torch.utils.data import Sampler
from transformers import Trainer, TrainingArguments

from videoguard.models.families import Family
from videoguard.training.monitoring import Meter
from videoguard.training.optimizers import Rates, parameter_groups

PLAIN, AVERAGED, DEEPSPEED = "one process", "DistributedDataParallel", "DeepSpeedEngine"

Score = Callable[[PeftModel], float]
"""Mean score of a model's answers, the same on every process; higher is better."""


class LaunchError(Exception):
    """The processes of a training are not those that were asked for: alone, each would train on all the data, unseen."""


class AdapterTrainer(Trainer):
    """A trainer of an adapter.

    Args:
        sampler: order of the training examples; drawn anew each epoch when None.
        model: with its adapter.
        family: of the model.
        rates: learning rates of its parts.
        meter: counts each forward pass.
        score: computed at each evaluation, and logged as `eval_<name>`; None for none.
        processes: that are to train together.

    `engine` tells what keeps them together, once the training goes on.

    Raises:
        LaunchError: there are more or fewer of them.
    """

    def __init__(
        self,
        *,
        model: PeftModel,
        sampler: Sampler[int] | None,
        family: Family,
        rates: Rates,
        meter: Meter,
        score: tuple[str, Score] | None,
        processes: int,
        **options: Any,  # noqa: ANN401  those of Trainer
    ) -> None:
        super().__init__(model=model, **options)
        self.adapted = model
        self._sampler = sampler
        self._family = family
        self._rates = rates
        self.meter = meter
        self._score = score
        self.engine = PLAIN
        if self.args.world_size != processes:
            raise LaunchError(f"{processes} processes were to train together, and this one sees {self.args.world_size}")

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """The optimizer of the arguments, with the learning rates of the parts where they have their own."""
        if self.optimizer is not None or not self._rates:
            optimizer: torch.optim.Optimizer = super().create_optimizer(model)
            return optimizer
        decaying = set(self.get_decay_parameter_names(self.adapted))
        groups = parameter_groups(self.adapted, self._family, self._rates, decaying, self.args.weight_decay)
        create, options = self.get_optimizer_cls_and_kwargs(self.args)
        self.optimizer = create(groups, **options)
        return self.optimizer

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """One forward and backward pass, counted."""
        self.engine = _engine(model, self.args)
        self.meter.count(inputs)
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:  # noqa: ANN401  those of Trainer
        """Loss on the validation split and, where one is wanted, the score of the answers to it."""
        metrics: dict[str, float] = super().evaluate(*args, **options)
        if self._score is not None:
            name, score = self._score
            self.adapted.eval()
            metrics[f"eval_{name}"] = score(self.adapted)
            self.log({f"eval_{name}": metrics[f"eval_{name}"]})
        return metrics

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:  # noqa: ANN401  that of Trainer
        if self._sampler is not None:
            return self._sampler
        sampler: Sampler[int] | None = super()._get_train_sampler(train_dataset)
        return sampler


def _engine(model: torch.nn.Module, args: TrainingArguments) -> str:
    """What the model was wrapped into, which must be what the arguments ask for."""
    wanted = DEEPSPEED if args.deepspeed is not None else AVERAGED if args.world_size > 1 else PLAIN
    found = type(model).__name__
    if wanted != PLAIN and found != wanted:
        raise LaunchError(f"the training was to run in a {wanted}, and runs in a {found}")
    return wanted
