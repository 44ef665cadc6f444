"""One base model that answers with one adapter after the other, without being loaded again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from videoguard.models.base import BaseModelFolder
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import Preprocessor, digest_processor, read_record


class SharedBase:
    """A loaded base model, to which adapters are added as they are asked for."""

    def __init__(
        self, base: BaseModelFolder, dtype: str, *, quantization: str = "none", attention: str = "auto", device: str = "auto"
    ) -> None:
        self.base = base
        processor = load_processor(base)
        self.preprocessor = Preprocessor(processor, base.family)
        self.processor_digest = digest_processor(processor)
        self._model: PreTrainedModel | PeftModel = load_model(
            base, dtype, quantization=quantization, attention=attention, device=device
        )
        self._names: dict[Path, str] = {}
        self._loaded = 0

    def require_fit(self, adapter: Path) -> None:
        """Raise `UserError`, with both values, where an adapter was trained on another base or with another processor."""
        record = read_record(adapter)
        now = record.model_copy(update={"base_digest": self.base.digest, "processor_digest": self.processor_digest})
        record.require_same(now, adapter)

    @contextmanager
    def using(self, adapter: Path | None) -> Iterator[PreTrainedModel | PeftModel]:
        """The model with an adapter, or as it is without one, within the block.

        Raises:
            UserError: the adapter does not fit the base.
        """
        if adapter is not None:
            self._switch_to(adapter)
        elif isinstance(self._model, PeftModel):
            with self._model.disable_adapter():
                yield self._model
            return
        yield self._model

    @contextmanager
    def using_once(self, adapter: Path | None) -> Iterator[PreTrainedModel | PeftModel]:
        """As `using`; the adapter is forgotten after the block."""
        with self.using(adapter) as model:
            yield model
        if adapter is not None:
            self.forget(adapter)

    def forget(self, adapter: Path) -> None:
        """Free the memory of an adapter that is not asked for any more."""
        name = self._names.pop(adapter, None)
        # peft keeps one at least; the last one stays, unused.
        if name is not None and isinstance(self._model, PeftModel) and len(self._model.peft_config) > 1:
            # Another must be in use, or peft warns that it chose one itself.
            self._model.set_adapter(next(other for other in self._model.peft_config if other != name))
            self._model.delete_adapter(name)

    def _switch_to(self, adapter: Path) -> None:
        if adapter not in self._names:
            self.require_fit(adapter)
            name = f"adapter-{self._loaded}"
            self._loaded += 1
            if isinstance(self._model, PeftModel):
                self._model.load_adapter(str(adapter), adapter_name=name)
            else:
                self._model = PeftModel.from_pretrained(self._model, str(adapter), adapter_name=name)
            self._names[adapter] = name
        assert isinstance(self._model, PeftModel)
        self._model.set_adapter(self._names[adapter])
        self._model.eval()


_Key = tuple[Path, str, str, str, str, str]
_shared: dict[_Key, SharedBase] = {}


def share_base(
    base: BaseModelFolder, dtype: str, *, quantization: str = "none", attention: str = "auto", device: str = "auto"
) -> SharedBase:
    """The base, loaded once in this process for as long as no other one is asked for.

    An answer does not depend on it: with one adapter in use, or none, the others on the base take no part in what is
    computed.
    """
    key = (base.folder, base.digest, dtype, quantization, attention, device)
    if key not in _shared:
        # Two would need the memory of both.
        _shared.clear()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        _shared[key] = SharedBase(base, dtype, quantization=quantization, attention=attention, device=device)
    return _shared[key]
