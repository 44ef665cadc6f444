"""`Context`: what a model has read so far, with its keys and values, so that nothing is read twice."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from peft import PeftModel
from transformers import DynamicCache, PreTrainedModel

from videoguard.inference.guard.labels import common_length
from videoguard.models.preprocessing import TOKEN_TENSORS, Example


class Context:
    """One growing text with images, read by a model with a key-value cache."""

    def __init__(self, model: PreTrainedModel | PeftModel, media_token: int) -> None:
        """Start with nothing.

        Args:
            model: in evaluation mode.
            media_token: what stands for a part of an image.
        """
        self._model = model
        self._media_token = media_token
        self._cache = DynamicCache()
        self._tokens: list[int] = []
        self.read = 0
        """Tokens that were ever read: what is kept does not count again."""

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def nbytes(self) -> int:
        """Memory of keys and values."""
        tensors = (tensor for layer in self._cache.layers for tensor in (layer.keys, layer.values))  # type: ignore[union-attr]
        return sum(int(tensor.nbytes) for tensor in tensors if tensor is not None)

    def restart(self, tokens: Sequence[int]) -> int:
        """Keep the start that the context shares with `tokens`, up to the first image, and forget the rest.

        Returns:
            How many of the tokens are kept: read on from there. The last one is never kept, so that there is one to read.
        """
        images = [place for place, token in enumerate(self._tokens) if token == self._media_token]
        until = images[0] if images else len(self._tokens)
        kept = min(common_length(self._tokens[:until], tokens), len(tokens) - 1)
        self.drop(len(self._tokens) - kept)
        return kept

    def drop(self, count: int) -> None:
        """Forget the last `count` tokens."""
        if count:
            self._cache.crop(-count)
            del self._tokens[len(self._tokens) - count :]

    @torch.inference_mode()
    def extend(self, tokens: Sequence[int], media: Mapping[str, torch.Tensor] | None = None, keep: int = 1) -> torch.Tensor:
        """Read more tokens, with the images in them.

        Args:
            tokens: at least one.
            media: tensors of the images that stand in them.
            keep: number of last tokens whose logits are wanted.

        Returns:
            Logits after each of them, float32 on the CPU: `(keep, vocabulary)`.
        """
        device = self._model.device
        forward = cast("Callable[..., Any]", self._model)
        output = forward(
            input_ids=torch.tensor([list(tokens)], device=device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=keep,
            **{name: tensor.to(device, self._model.dtype) for name, tensor in (media or {}).items()},
        )
        self._tokens += tokens
        self.read += len(tokens)
        logits: torch.Tensor = output.logits[0].float().cpu()
        return logits


def media_of(example: Example) -> dict[str, torch.Tensor]:
    """The tensors of an example that are no tokens."""
    return {name: tensor for name, tensor in example.items() if name not in TOKEN_TENSORS}
