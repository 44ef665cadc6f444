"""The base model as the user names it: a folder of a diffusers pipeline, or a name of the hub."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from videoguard.digests import digest_file, digest_json
from videoguard.errors import UserError

PIPELINE = "Cosmos2VideoToWorldPipeline"
_COMPONENTS = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WorldBase:
    """A base model on this machine."""

    name: str
    """As the user gave it."""
    folder: Path


def find_world_base(name: str, revision: str | None = None, *, only_configuration: bool = False) -> WorldBase:
    """The base of a folder or hub name, downloaded where it is not on this machine.

    Args:
        name: folder, or `owner/model`.
        revision: commit or tag of the hub.
        only_configuration: fetch what tells the architecture, and no weights.

    Raises:
        UserError: there is none, or it is another kind of model.
    """
    folder = Path(name)
    if not folder.is_dir():
        from videoguard.models.hub import download_model

        parts = ["transformer/*.json"] if only_configuration else [f"{part}/*" for part in _COMPONENTS]
        folder = download_model(name, revision, ["model_index.json", *parts])
    _require_pipeline(folder, name)
    return WorldBase(name, folder)


def digest_base(base: WorldBase) -> str:
    """Digest of all files that decide what the base generates."""
    files = sorted(path for part in _COMPONENTS for path in (base.folder / part).rglob("*") if path.is_file())
    return digest_json({path.relative_to(base.folder).as_posix(): _digest(path) for path in files})


def _digest(path: Path) -> str:
    """The hub's cache names a large file by its SHA-256, so that tens of gigabytes are not read once more."""
    target = path.resolve()
    return target.name if path.is_symlink() and _SHA256.fullmatch(target.name) else digest_file(path)


def _require_pipeline(folder: Path, name: str) -> None:
    index = folder / "model_index.json"
    try:
        kind = json.loads(index.read_text(encoding="utf-8")).get("_class_name")
    except FileNotFoundError:
        raise UserError(
            f"base {name}: there is no model_index.json: give the folder or hub name of a diffusers pipeline, "
            "such as nvidia/Cosmos-Predict2-2B-Video2World"
        ) from None
    except (ValueError, AttributeError) as fault:
        raise UserError(f"base {name}: model_index.json is no JSON object ({fault})") from None
    if kind != PIPELINE:
        raise UserError(f"base {name}: it is a {kind}: it must be a {PIPELINE}")
