"""Finding a base model on disk or on the hub, without loading it."""

import json
from dataclasses import dataclass
from pathlib import Path

from videoguard.digests import digest_file, digest_json
from videoguard.errors import UserError
from videoguard.models.families import Family, family_of


@dataclass(frozen=True)
class BaseModelFolder:
    """A base model on disk: its folder, the name that the user gave it, and the digest of its files."""

    folder: Path
    name: str
    digest: str
    family: Family


def check_base(name: str, revision: str | None = None) -> Family:
    """Refuse a base model that could not be loaded, before any work, and return its family: reads its `config.json` alone.

    Raises:
        UserError: as `find_base`.
    """
    folder = Path(name)
    if folder.exists():
        _require_weights(folder, name)
    else:
        from videoguard.models.hub import download_model

        folder = download_model(name, revision, only="config.json")
    return family_of(_model_type(folder, name))


def find_base(name: str, revision: str | None = None) -> BaseModelFolder:
    """The base model called `name`, a folder or a hub name, downloaded where it is not on disk.

    Reads no weights into memory.

    Raises:
        UserError: the folder is not a model's, the hub does not have or give it, or its family is not known.
    """
    folder = Path(name)
    if not folder.exists():
        from videoguard.models.hub import download_model

        folder = download_model(name, revision)
    model_type = _model_type(folder, name)
    _require_weights(folder, name)
    return BaseModelFolder(folder, name, _digest_model(folder), family_of(model_type))


def family_of_folder(folder: Path) -> Family:
    """The family of the model in a folder, by its `config.json`.

    Raises:
        UserError: its family is not known.
    """
    return family_of(_model_type(folder, str(folder)))


def _require_weights(folder: Path, name: str) -> None:
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"model {name}: {folder} has no *.safetensors file: give a folder written by save_pretrained")


def _model_type(folder: Path, name: str) -> str:
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(f"model {name}: {folder} has no config.json: give a folder written by save_pretrained")
    try:
        model_type = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError):
        model_type = None
    if not isinstance(model_type, str):
        raise UserError(f"model {name}: {config} names no model_type: give a folder written by save_pretrained")
    return model_type


def _digest_model(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".safetensors", ".jinja", ".model"})
    return digest_json({path.name: digest_file(path) for path in files})
