"""Rows of the `datasets` library: a folder that it saved, or a data set of the Hugging Face hub."""

from collections.abc import Iterable
from pathlib import Path

import datasets
import pyarrow as pa

from videoguard.errors import UserError
from videoguard.manifests.carriers.parquet_table import ARROW_ERRORS, arrow_rows, arrow_table

_MARKS = ("dataset_dict.json", "state.json")


def read_dataset_folder(folder: Path) -> list[object]:
    """The rows of every split, which carry its name where they name none themselves.

    Raises:
        UserError: the folder is not one that `datasets` saved, or is damaged.
    """
    if not any((folder / mark).is_file() for mark in _MARKS):
        raise UserError(
            f"manifest {folder} is a folder without {' or '.join(_MARKS)}: it must be a manifest file, or a folder that "
            "save_to_disk of `datasets` wrote"
        )
    try:
        return _rows(datasets.load_from_disk(str(folder)))
    except (*ARROW_ERRORS, AttributeError, IndexError) as error:
        # The library reads its own records without checking them: a damaged one is any of these.
        raise UserError(
            f"manifest {folder} is a damaged folder of `datasets`: {_first_line(error)}; save it again"
        ) from None


def read_hub_dataset(name: str) -> list[object]:
    """The rows of every split of a data set of the hub, from its cache where it is there.

    Raises:
        UserError: the hub has no such data set, or is not reached.
    """
    try:
        return _rows(datasets.load_dataset(name))
    except (*ARROW_ERRORS, datasets.exceptions.DatasetsError) as error:
        raise UserError(
            f"data.manifest is {name}: no such file, and the hub gives no such data set ({_first_line(error)}); "
            "check the name and the network"
        ) from None


def write_dataset_folder(rows: Iterable[dict[str, object]], folder: Path) -> None:
    """Save rows as one data set; their splits are a column."""
    datasets.disable_progress_bars()
    datasets.Dataset(datasets.table.InMemoryTable(arrow_table(rows))).save_to_disk(str(folder), num_shards=1)


def _rows(found: object) -> list[object]:
    if isinstance(found, datasets.Dataset):
        return _dataset_rows(found)
    if not isinstance(found, datasets.DatasetDict):
        raise TypeError(f"it holds {type(found).__name__}, not rows")
    rows: list[object] = []
    for split, part in found.items():
        rows += [{"split": str(split), **row} if isinstance(row, dict) else row for row in _dataset_rows(part)]
    return rows


def _dataset_rows(found: datasets.Dataset) -> list[object]:
    # As stored: media columns would be decoded otherwise.
    table: pa.Table = found.with_format("arrow")[:]
    return arrow_rows(table)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
