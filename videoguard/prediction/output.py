"""Rows of several models as a file: JSON Lines, CSV or Parquet, told by its suffix."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videoguard.errors import UserError
from videoguard.inference.rows import AnswerRow

SUFFIXES = (".jsonl", ".csv", ".parquet")
COLUMNS = ("id", "video", "model", "question", *list(AnswerRow.model_fields)[list(AnswerRow.model_fields).index("status") :])


def require_writable(path: Path) -> None:
    """Refuse, before any work, a file that could not be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--output is {path}: its suffix must be one of {', '.join(SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output is {path}: the folder {path.absolute().parent} does not exist")


def write_predictions(rows: Mapping[str, Sequence[AnswerRow]], path: Path) -> None:
    """Write a line for each sample and model, samples first; the file appears whole or not at all."""
    lines = [
        {name: {**row.model_dump(mode="json"), "model": model}[name] for name in COLUMNS}
        for side_by_side in zip(*rows.values(), strict=True)
        for model, row in zip(rows, side_by_side, strict=True)
    ]
    temporary = path.with_name(f".{path.name}")
    if path.suffix.lower() == ".parquet":
        pq.write_table(pa.Table.from_pylist(lines), temporary)
    else:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            if path.suffix.lower() == ".csv":
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(lines)
            else:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    temporary.replace(path)
