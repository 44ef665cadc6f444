"""Sequences that a model is writing side by side, and that come and go.

transformers' own generation keeps all sequences of a batch until the last one is finished. Here finished ones leave the
key-value cache, and others join it. All is aligned on the right: what joins with less behind it is padded on the left.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from peft import PeftModel
from transformers import LogitsProcessorList, PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

# What is kept for each token besides the tokens, `(…, rows, tokens)`, and what stands in it where there is padding.
_OF_TOKENS = {"attention_mask": 0, "position_ids": 0, "token_type_ids": 0, "mm_token_type_ids": 0}
# What is said of every pass. All else that the model was given are media, which its first pass has read.
_OF_PASSES = ("use_cache", "logits_to_keep")
_JOINABLE = (DynamicLayer, DynamicSlidingWindowLayer)


class Sequences:
    """Sequences in progress, one a row, with what the model remembers of them."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokens: torch.Tensor,
        logits: torch.Tensor,
        state: dict[str, Any],
        processors: LogitsProcessorList,
    ) -> None:
        self._model = model
        self._tokens = tokens
        self._state = state
        self._processors = processors
        self.logits = logits
        """Of the next token of each row, `(rows, vocabulary)` float32."""
        self.steps = 0
        """Tokens that were appended."""

    @property
    def can_join(self) -> bool:
        """Whether others can come in: the model remembers tokens one by one, and not in a state of fixed size."""
        return all(type(layer) in _JOINABLE for layer in self._cache.layers)

    @property
    def _cache(self) -> DynamicCache:
        cache: DynamicCache = self._state["past_key_values"]
        return cache

    def scores(self) -> torch.Tensor:
        """A copy of the logits, with what the model's own generation settings change in them (a repetition penalty)."""
        scores = self.logits.clone()
        if self._processors:
            # Row by row, without its padding: an answer must not depend on what it stands beside.
            lengths = self._state["attention_mask"][:, :-1].sum(dim=1).tolist()
            for row, length in enumerate(lengths):
                seen = cast("torch.LongTensor", self._tokens[row : row + 1, self._tokens.shape[1] - length :])
                scores[row : row + 1] = self._processors(seen, cast("torch.FloatTensor", scores[row : row + 1]))
        return scores

    def go_on(self, tokens: torch.Tensor) -> None:
        """Append a token to each row, `(rows,)`, and read the logits of what comes after it."""
        self._tokens = torch.cat([self._tokens, tokens[:, None]], dim=1)
        self.logits, self._state = _pass(self._model, tokens[:, None], self._state, next_sequence_length=1)
        self.steps += 1

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these, `(kept,)`, and the padding that all of these have in common."""
        self._tokens, self.logits = self._tokens[rows], self.logits[rows]
        for name in _OF_TOKENS.keys() & self._state.keys():
            self._state[name] = self._state[name][..., rows, :]
        self._cache.batch_select_indices(rows)
        padding = int(self._state["attention_mask"].any(dim=0).int().argmax())
        if padding and self.can_join:
            self._cut(padding)

    def copy(self) -> "Sequences":
        """The same sequences, to go on from in another way."""
        state = {**self._state, "past_key_values": copy.deepcopy(self._cache)}
        return Sequences(self._model, self._tokens, self.logits, state, self._processors)

    def join(self, others: "Sequences") -> None:
        """Take in other sequences, as rows after those that are here."""
        length = max(self._tokens.shape[1], others._tokens.shape[1])
        pad = self._model.generation_config.pad_token_id or 0
        self._tokens = torch.cat([_widen(each._tokens, length, pad) for each in (self, others)])
        self.logits = torch.cat([self.logits, others.logits])
        for name in _OF_TOKENS.keys() & (self._state.keys() | others._state.keys()):
            fill = _OF_TOKENS[name]
            # The mask and the like already have the place of the next token.
            parts = [_widen(each._of_tokens(name), length + 1, fill) for each in (self, others)]
            self._state[name] = torch.cat(parts, dim=-2)
        for mine, theirs in zip(self._cache.layers, others._cache.layers, strict=True):
            _join_layer(cast("DynamicLayer", mine), cast("DynamicLayer", theirs))

    def _of_tokens(self, name: str) -> torch.Tensor:
        """What a family tells of each token; zeros where all that these rows have shown is text."""
        if name in self._state:
            tensor: torch.Tensor = self._state[name]
            return tensor
        return torch.zeros_like(self._state["attention_mask"])

    def _cut(self, columns: int) -> None:
        self._tokens = self._tokens[:, columns:]
        for name in _OF_TOKENS.keys() & self._state.keys():
            self._state[name] = self._state[name][..., columns:]
        for layer in self._cache.layers:
            _cut_layer(cast("DynamicLayer", layer), columns)


def start(model: PreTrainedModel | PeftModel, batch: Mapping[str, torch.Tensor], pad: int) -> Sequences:
    """Read prompts, padded on the left into one batch.

    transformers prepares what the family needs (positions, cache, media), and hands over before the first token is chosen.
    """
    taken: list[Sequences] = []

    def take(
        inner: PreTrainedModel,
        input_ids: torch.Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: object,
        generation_config: object,
        **given: object,
    ) -> torch.Tensor:
        logits, state = _pass(inner, input_ids, given, is_first_iteration=True)
        kept = {name: state[name] for name in (*_OF_TOKENS, *_OF_PASSES, "past_key_values") if state.get(name) is not None}
        # transformers leaves out a mask that masks nothing.
        if "attention_mask" not in kept:
            kept["attention_mask"] = input_ids.new_ones((input_ids.shape[0], input_ids.shape[1] + 1))
        taken.append(Sequences(inner, input_ids, logits, kept, logits_processor))
        return input_ids

    generate: Callable[..., torch.Tensor] = cast("Callable[..., torch.Tensor]", model.generate)
    generate(
        **batch,
        custom_generate=take,
        do_sample=False,
        max_new_tokens=1,
        use_cache=True,
        cache_implementation="dynamic",
        pad_token_id=pad,
    )
    return taken[0]


def _pass(
    model: PreTrainedModel, tokens: torch.Tensor, state: dict[str, Any], **how: object
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Logits of the next token, `(rows, vocabulary)`, and what the model then remembers."""
    prepare = cast("Callable[..., dict[str, Any]]", model.prepare_inputs_for_generation)
    update = cast("Callable[..., dict[str, Any]]", model._update_model_kwargs_for_generation)
    outputs = model(**prepare(tokens, **how, **state), return_dict=True)
    logits = outputs.logits[:, -1].to(copy=True, dtype=torch.float32)
    return logits, update(outputs, state)


def _widen(tensor: torch.Tensor, length: int, fill: int) -> torch.Tensor:
    """Pad the last axis on the left."""
    missing = length - tensor.shape[-1]
    return torch.nn.functional.pad(tensor, (missing, 0), value=fill) if missing else tensor


def _join_layer(mine: DynamicLayer, theirs: DynamicLayer) -> None:
    # A layer that shares the memory of another one has none of its own.
    if not mine.is_initialized or mine.keys is None:
        return
    assert mine.values is not None and theirs.keys is not None and theirs.values is not None  # noqa: PT018
    length = max(mine.keys.shape[-2], theirs.keys.shape[-2])
    keys, values = (mine.keys, theirs.keys), (mine.values, theirs.values)
    mine.keys = torch.cat([_lengthen(part, length) for part in keys])
    mine.values = torch.cat([_lengthen(part, length) for part in values])
    if isinstance(mine, DynamicSlidingWindowLayer):
        assert isinstance(theirs, DynamicSlidingWindowLayer)
        mine.cumulative_length = max(mine.cumulative_length, theirs.cumulative_length)


def _lengthen(memory: torch.Tensor, length: int) -> torch.Tensor:
    """Pad what is remembered, `(rows, heads, tokens, width)`, on the left of the tokens."""
    return torch.nn.functional.pad(memory, (0, 0, length - memory.shape[-2], 0))


def _cut_layer(layer: DynamicLayer, columns: int) -> None:
    if not layer.is_initialized or layer.keys is None:
        return
    assert layer.values is not None
    length = layer.get_seq_length() - columns
    if isinstance(layer, DynamicSlidingWindowLayer):
        # It has forgotten what lies before its window already.
        layer.cumulative_length = length
        length = min(length, layer.sliding_window - 1)
    layer.keys = layer.keys[..., -length:, :]
    layer.values = layer.values[..., -length:, :]
