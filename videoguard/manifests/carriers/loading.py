"""A manifest's place in; its rows out, however they are carried."""

import hashlib
import re
from pathlib import Path

from videoguard.digests import digest_file, digest_json
from videoguard.errors import UserError
from videoguard.manifests.carriers.csv_table import is_csv, read_csv
from videoguard.manifests.carriers.json_text import read_json, read_json_lines, starts_json_lines
from videoguard.manifests.carriers.rows import CarriedRows

_PARQUET_MAGIC = b"PAR1"
_FILE_SUFFIXES = {".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"}
_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def load_rows(path: Path) -> CarriedRows:
    """The rows of a manifest; at least one.

    What carries them is told by the content: a folder is one that `datasets` saved, Parquet has its magic bytes, a text
    that begins with a bracket or brace is JSON, or JSON Lines where its first line is a whole object, and any other text
    is a table if its name ends in `.csv` or `.tsv`. A name `owner/data-set` that is no file here is looked up on the
    Hugging Face hub.

    Raises:
        UserError: there is no such file, or it cannot be read as any of these.
    """
    if path.is_dir():
        # With the library that reads it, which takes a second to import.
        from videoguard.manifests.carriers.dataset_folder import read_dataset_folder

        found = CarriedRows("datasets", read_dataset_folder(path), _digest_folder(path))
    elif is_hub_name(path):
        from videoguard.manifests.carriers.dataset_folder import read_hub_dataset

        rows = read_hub_dataset(path.as_posix())
        found = CarriedRows("datasets", rows, hashlib.sha256(repr(rows).encode("utf-8", "backslashreplace")).hexdigest())
    else:
        found = _load_file(path)
    if not found.rows:
        raise UserError(f"manifest {path} is an empty list: it must have at least one row")
    return found


def is_hub_name(path: Path) -> bool:
    """Whether a manifest is meant as `owner/data-set` of the hub: nothing here has that name, or is its folder."""
    name = path.as_posix()
    if path.exists() or path.suffix.lower() in _FILE_SUFFIXES or not _HUB_NAME.fullmatch(name):
        return False
    return not path.parent.is_dir()


def _load_file(path: Path) -> CarriedRows:
    content = _read_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(_PARQUET_MAGIC):
        from videoguard.manifests.carriers.parquet_table import read_parquet

        return CarriedRows("parquet", read_parquet(path, content), digest)
    if path.suffix.lower() == ".parquet":
        raise UserError(f"manifest {path} is not Parquet (it does not begin with PAR1): write it again, or name it as it is")
    text = _decode(path, content)
    if path.suffix.lower() in {".jsonl", ".ndjson"} or starts_json_lines(text):
        return CarriedRows("jsonl", read_json_lines(path, text), digest)
    if is_csv(path, text):
        return CarriedRows("csv", read_csv(path, text), digest)
    return CarriedRows("json", read_json(path, text), digest)


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"manifest {path} does not exist: data.manifest must name a file, a folder that `datasets` saved, or "
            "owner/data-set of the hub"
        ) from None
    except (OSError, ValueError) as error:
        # ValueError: a null character in the name.
        raise UserError(f"manifest {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not content.strip():
        raise UserError(f"manifest {path} is empty: it must hold a list of rows")
    return content


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        encoding = _BYTE_ORDER_MARKS.get(content[:2], "Latin-1 or Windows-1252")
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"manifest {path} is not UTF-8 (line {line}, byte {content[error.start]:#04x}; it may be {encoding}): "
            "save it as UTF-8"
        ) from None


def _digest_folder(path: Path) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest_json({file.relative_to(path).as_posix(): digest_file(file) for file in files})
