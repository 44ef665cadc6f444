"""Adapters on a loaded transformer: attached once, then switched, weighted and combined without loading again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from videoguard.errors import UserError
from videoguard.world.adapters.files import CONFIG, WEIGHTS

if TYPE_CHECKING:
    from diffusers import CosmosTransformer3DModel


class AttachingError(Exception):
    """The library left weights of an adapter out that the checks found whole."""


def attach(transformer: "CosmosTransformer3DModel", name: str, folder: Path) -> None:
    """Attach the adapter of a folder that `convert_adapter` wrote, and switch it off.

    Raises:
        UserError: the name is taken, or no name that a module can have.
        AttachingError: not all of its weights went in.
    """
    from safetensors.torch import load_file

    if not name.isidentifier() or name in attached(transformer):
        raise UserError(f"adapter name {name}: it must be a word of letters, digits and _, and each adapter's own")
    settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    settings.pop("peft_type")
    weights = {key.removeprefix("base_model.model."): weight for key, weight in load_file(folder / WEIGHTS).items()}
    transformer.load_lora_adapter(weights, prefix=None, adapter_name=name, metadata=settings)
    modules = settings["target_modules"]
    found = count_tensors(transformer, name)
    if found != 2 * len(modules):
        raise AttachingError(
            f"adapter {folder}: {found} LoRA tensors were loaded for {len(modules)} modules: there must be two for each"
        )
    transformer.disable_adapters()


def attached(transformer: "CosmosTransformer3DModel") -> list[str]:
    """Names of the attached adapters."""
    return list(getattr(transformer, "peft_config", {}))


def count_tensors(transformer: "CosmosTransformer3DModel", name: str) -> int:
    """LoRA weights of an adapter in the transformer: two for each module."""
    return sum(
        key.endswith((f".lora_A.{name}.weight", f".lora_B.{name}.weight")) for key, _ in transformer.named_parameters()
    )


def use_adapters(transformer: "CosmosTransformer3DModel", weights: Mapping[str, float]) -> None:
    """Let the named adapters work, each by its weight, and no others; without any, or with weights of 0, the base alone.

    Adapters are switched, never fused: fusing and undoing it changes weights of 16 bits.

    Raises:
        UserError: a name is not that of an attached adapter, which the library would pass over.
    """
    known = attached(transformer)
    unknown = sorted(set(weights) - set(known))
    if unknown:
        raise UserError(f"adapters {', '.join(unknown)}: not attached; there are {', '.join(known) or 'none'}")
    working = {name: weight for name, weight in weights.items() if weight != 0}
    if not known:
        return
    if not working:
        transformer.disable_adapters()
        return
    transformer.enable_adapters()
    transformer.set_adapters(list(working), list(working.values()))
