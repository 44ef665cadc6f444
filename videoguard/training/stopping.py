"""Ending a training that no longer gets better."""

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class StopAfter(TrainerCallback):
    """Ends the training once that many evaluations in a row were not better than the best.

    It looks at the state alone, and after the checkpoint is whole: a training that is started again ends at the same step.
    """

    def __init__(self, patience: int | None) -> None:
        self._patience = patience

    def is_over(self, state: TrainerState) -> bool:
        """Whether a training in this state has ended before its last step."""
        if self._patience is None or not state.best_global_step:
            return False
        evaluated = {entry["step"] for entry in state.log_history if "eval_loss" in entry}
        return sum(step > state.best_global_step for step in evaluated) >= self._patience

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer, after the evaluation of the step."""
        if self.is_over(state):
            control.should_training_stop = True
