"""Batched greedy generation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from peft import PeftModel
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel

from videoguard.models.preprocessing import Example, Preprocessor


@dataclass(frozen=True)
class Answer:
    """One generated text."""

    text: str
    new_tokens: int
    """Generated tokens, the end of turn included."""
    mean_token_logprob: float | None
    """Mean natural log-probability of the generated tokens; None where none was generated."""


class Engine:
    """A loaded model that answers prompts."""

    def __init__(self, model: PreTrainedModel | PeftModel, preprocessor: Preprocessor) -> None:
        self._device = model.device
        self._model = model
        self._preprocessor = preprocessor
        self._ends = torch.tensor(sorted({*preprocessor.ends, *_own_ends(model)}), device=model.device)

    @torch.inference_mode()
    def answer(self, prompts: Sequence[Example], max_new_tokens: int) -> list[Answer]:
        """Greedy answers to prompts, padded on the left into one batch."""
        batch = self._preprocessor.collate(prompts, side="left")
        batch = {name: tensor.to(self._device) for name, tensor in batch.items()}
        trace = _GreedyLogprobs()
        generate: Callable[..., torch.Tensor] = cast("Callable[..., torch.Tensor]", self._model.generate)
        sequences = generate(
            **batch,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=self._ends.tolist(),
            pad_token_id=self._preprocessor.tokenizer.pad_token_id,
            logits_processor=LogitsProcessorList([trace]),
        )
        generated = sequences[:, batch["input_ids"].shape[1] :]
        logprobs = torch.stack(trace.steps, dim=1)
        return [self._finish(tokens, steps) for tokens, steps in zip(generated, logprobs, strict=True)]

    def _finish(self, tokens: torch.Tensor, logprobs: torch.Tensor) -> Answer:
        ends = torch.isin(tokens, self._ends).nonzero()
        length = int(ends[0]) + 1 if len(ends) else len(tokens)
        mean = float(logprobs[:length].mean()) if length else None
        return Answer(self._preprocessor.decode(tokens[:length]), length, mean)


def _own_ends(model: PreTrainedModel | PeftModel) -> list[int]:
    """Tokens at which the model says that it stops."""
    named = model.generation_config.eos_token_id
    return [named] if isinstance(named, int) else list(named or ())


class _GreedyLogprobs(LogitsProcessor):
    """Notes the log-probability of the token that greedy decoding is about to take; changes nothing."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        self.steps.append((scores.max(dim=-1).values - scores.logsumexp(dim=-1)).float().cpu())
        return scores
