"""An adapter, or a base model with the adapter merged into it, as a folder that transformers and peft load."""

import json
import shutil
from pathlib import Path

from videoguard.errors import UserError
from videoguard.models.base import BaseModelFolder
from videoguard.models.preprocessing import RECORD, digest_processor, read_record

_ADAPTER_CONFIG = "adapter_config.json"


def export_adapter(adapter: Path, base: str, folder: Path) -> None:
    """Copy the adapter with its preprocessing record, and name the base model in it as others can find it.

    Args:
        adapter: folder of a trained adapter.
        base: what `PeftModel` and `AutoModel` load the base by: a hub name, or a folder.
        folder: new or empty.

    Raises:
        UserError: the folder holds something already.
    """
    _require_empty(folder)
    shutil.copytree(adapter, folder, dirs_exist_ok=True)
    config = json.loads((adapter / _ADAPTER_CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    (folder / _ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def export_merged(adapter: Path, base: BaseModelFolder, dtype: str, folder: Path) -> None:
    """Add the adapter's update to the base weights, and save the result as a model of its own, with its processor.

    Args:
        adapter: folder of a trained adapter.
        base: the base that it was trained on.
        dtype: number format of the saved weights. The update is added in 32 bits, so that it is rounded once.
        folder: new or empty.

    Raises:
        UserError: the folder holds something already, or the adapter was trained on another base.
    """
    import torch

    from videoguard.models.loading import load_adapted, load_processor

    _require_empty(folder)
    processor = load_processor(base)
    record = read_record(adapter)
    now = {"base_digest": base.digest, "processor_digest": digest_processor(processor)}
    record.require_same(record.model_copy(update=now), adapter)
    merged = load_adapted(base, "float32", adapter).merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, dtype)).save_pretrained(folder)
    processor.save_pretrained(folder)
    shutil.copyfile(adapter / RECORD, folder / RECORD)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there and not an empty folder: name a new one")
    folder.mkdir(parents=True, exist_ok=True)
