"""The files of an adapter, read without their weights: what they say of themselves, name and shape of each tensor."""

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from videoguard.errors import UserError
from videoguard.world.adapters.names import diffusers_name, has_meaning, split_lora

if TYPE_CHECKING:
    from torch import Tensor

Layout = Literal["peft", "diffusers", "nvidia"]
CONFIG, WEIGHTS, DIFFUSERS_WEIGHTS = "adapter_config.json", "adapter_model.safetensors", "pytorch_lora_weights.safetensors"
_METADATA = "lora_adapter_metadata"
_READ = "a peft folder, a .safetensors file of LoRA weights, or NVIDIA's .pt"


@dataclass(frozen=True)
class AdapterFile:
    """What the files of an adapter hold."""

    path: Path
    layout: Layout
    halves: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Shape of each LoRA weight: by module, in diffusers' words, then by half, `A` and `B`."""
    keys: Mapping[tuple[str, str], str]
    """Name in the file of each LoRA weight, by module and half."""
    others: tuple[str, ...]
    """Weights that are neither LoRA nor, in NVIDIA's layout, those of the base."""
    base_keys: Mapping[str, str]
    """Name in the file of each weight of the base, by its name in diffusers; only NVIDIA's layout has them."""
    settings: Mapping[str, Any]
    """What `adapter_config.json`, or the metadata of the file, says; empty where there is none."""

    @property
    def weights(self) -> Path:
        """The file that holds the weights."""
        if self.path.is_file():
            return self.path
        return self.path / (WEIGHTS if self.layout == "peft" else DIFFUSERS_WEIGHTS)


def read_adapter(path: Path) -> AdapterFile:
    """The adapter of a folder or file; headers are read and no weight is.

    Raises:
        UserError: it is missing or unreadable, or it is laid out in a way that is not known.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise UserError(f"adapter {path}: no such file or folder: give {_READ}")
    if path.suffix == ".safetensors":
        shapes, metadata = _safetensors_header(path, path)
        return _sort(path, "diffusers", shapes, _settings_of_metadata(path, metadata))
    if path.suffix in {".pt", ".pth"}:
        shapes = {name: tuple(weight.shape) for name, weight in load_pt(path, shapes_only=True).items()}
        return _sort(path, "nvidia", shapes, {})
    raise UserError(f"adapter {path}: its layout is not known: give {_READ}")


def load_pt(path: Path, *, shapes_only: bool = False) -> "dict[str, Tensor]":
    """The weights of a checkpoint of PyTorch, mapped into memory and not read; on the meta device where only shapes matter.

    Only weights are unpickled: a file that would run code is refused.

    Raises:
        UserError: it cannot be read, or holds something else than named weights.
    """
    import torch

    if not zipfile.is_zipfile(path):
        raise UserError(f"adapter {path}: it is no checkpoint of PyTorch (1.6 or later), or it is cut off: copy it again")
    try:
        content = torch.load(path, map_location="meta" if shapes_only else "cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as fault:
        first = str(fault).strip().splitlines()[0]
        raise UserError(
            f"adapter {path}: it cannot be read as weights alone ({first}): it may be no checkpoint of PyTorch, or hold "
            "objects that run code when they are loaded; save its state_dict alone"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as fault:
        first = (str(fault).strip() or type(fault).__name__).splitlines()[0]
        raise UserError(
            f"adapter {path}: it cannot be read ({first}): the file is damaged or cut off; copy it again"
        ) from None
    return {name: weight for name, weight in _state_dict(path, content).items() if isinstance(weight, torch.Tensor)}


def _state_dict(path: Path, content: object) -> "dict[str, Tensor]":
    """The weights by name, out of the mapping that some trainers put around them."""
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise UserError(f"adapter {path}: it holds {type(content).__name__}: it must be a mapping of names to weights")
    return content


def _read_folder(path: Path) -> AdapterFile:
    if (path / WEIGHTS).is_file():
        shapes, _ = _safetensors_header(path, path / WEIGHTS)
        return _sort(path, "peft", shapes, _read_config(path))
    if (path / DIFFUSERS_WEIGHTS).is_file():
        shapes, metadata = _safetensors_header(path, path / DIFFUSERS_WEIGHTS)
        return _sort(path, "diffusers", shapes, _settings_of_metadata(path, metadata))
    if (path / CONFIG).is_file():
        raise UserError(f"adapter {path}: {CONFIG} is there and {WEIGHTS} is missing: copy the whole folder")
    raise UserError(f"adapter {path}: its layout is not known: the folder has no {WEIGHTS}; give {_READ}")


def _read_config(folder: Path) -> Mapping[str, Any]:
    path = folder / CONFIG
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"adapter {folder}: {WEIGHTS} is there and {CONFIG} is missing: copy the whole folder") from None
    except ValueError as fault:
        raise UserError(f"adapter {folder}: {CONFIG} is no JSON ({fault}): copy it again") from None
    if not isinstance(settings, dict):
        raise UserError(f"adapter {folder}: {CONFIG} holds {type(settings).__name__}: it must be a JSON object")
    if settings.get("peft_type", "LORA") != "LORA":
        raise UserError(f"adapter {folder}: {CONFIG} says peft_type {settings['peft_type']}: only LORA can be used")
    return settings


def _settings_of_metadata(path: Path, metadata: Mapping[str, str]) -> Mapping[str, Any]:
    """What diffusers writes into the header of LoRA weights: the settings of each model, under its name as a prefix."""
    if _METADATA not in metadata:
        return {}
    try:
        settings = json.loads(metadata[_METADATA])
        return {name.removeprefix("transformer."): value for name, value in settings.items()}
    except (ValueError, AttributeError):
        raise UserError(f"adapter {path}: the metadata of its weights is no JSON object: save it again") from None


def _safetensors_header(adapter: Path, file: Path) -> tuple[dict[str, tuple[int, ...]], Mapping[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="np") as opened:
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118  no mapping
            return shapes, opened.metadata() or {}
    except (SafetensorError, OSError) as fault:
        raise UserError(
            f"adapter {adapter}: {file.name} cannot be read ({fault}): the file is damaged or cut off; copy it again"
        ) from None


def _sort(path: Path, layout: Layout, shapes: Mapping[str, tuple[int, ...]], settings: Mapping[str, Any]) -> AdapterFile:
    halves: dict[str, dict[str, tuple[int, ...]]] = {}
    keys: dict[tuple[str, str], str] = {}
    others: list[str] = []
    base: dict[str, str] = {}
    for name, shape in shapes.items():
        if not has_meaning(name) or (layout == "nvidia" and _is_second_copy(name, shapes)):
            continue
        lora = split_lora(name)
        if lora is not None:
            module, half = lora
            halves.setdefault(module, {})[half] = shape
            keys[module, half] = name
        elif layout == "nvidia" and ".lora_" not in name:
            base[diffusers_name(name)] = name
        else:
            others.append(name)
    return AdapterFile(path, layout, halves, keys, tuple(others), base, settings)


def _is_second_copy(name: str, names: Mapping[str, object]) -> bool:
    """Whether a weight is the running average of one that is there too: the weights as trained are taken."""
    return name.startswith("net_ema.") and re.sub(r"^net_ema\.", "net.", name) in names
