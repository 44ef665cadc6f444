"""Samples written again in any format and carrier."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from videoguard.errors import UserError
from videoguard.manifests.carriers.csv_table import write_csv
from videoguard.manifests.carriers.json_text import write_json, write_json_lines
from videoguard.manifests.carriers.rows import Carrier
from videoguard.manifests.fields import COMMON_FIELDS
from videoguard.manifests.formats.catalogue import FORMATS, recognise
from videoguard.manifests.formats.format import ManifestFormat, Part, parts_of
from videoguard.manifests.labels import label_of
from videoguard.manifests.reading import ManifestReading
from videoguard.manifests.sample import RowProblem, Sample

_CARRIERS: Mapping[str, Carrier] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    "": "datasets",
}
# Without these a row would say something else than it did.
_ESSENTIAL: frozenset[Part] = frozenset({"video", "images", "history"})


@dataclass(frozen=True)
class Conversion:
    """What became of the samples of a manifest."""

    format: str
    carrier: Carrier
    written: int
    refused: list[RowProblem]
    """Rows that the format cannot hold, which were left out."""
    lost: dict[str, int]
    """Rows that were written without something that the format cannot hold."""


def convert_reading(
    reading: ManifestReading, out: Path, *, format_name: str | None = None, carrier: str | None = None, force: bool = False
) -> Conversion:
    """Write what was read to `out`; media names stay relative to the media root that they had.

    Args:
        reading: a manifest.
        out: file, or folder for `datasets`; it appears whole or not at all.
        format_name: one of `FORMATS`; that of most rows when None.
        carrier: one of `Carrier`; told by the suffix of `out` when None.
        force: replace what is there.

    Raises:
        UserError: format or carrier are unknown, `out` exists, or no row can be held.
    """
    target = _target(format_name or next(iter(reading.formats)))
    carried = _carrier(out, carrier)
    if (out.exists() or out.is_symlink()) and not force:
        raise UserError(f"{out} exists: give another name, or --force to replace it")
    rows: list[dict[str, object]] = []
    refused: list[RowProblem] = []
    lost: Counter[str] = Counter()
    for number, sample in zip(reading.rows, reading.samples, strict=True):
        sample = _with_label(sample, target)
        if (reason := _refusal(sample, target)) is not None:
            refused.append(RowProblem(number, "row", reason))
            continue
        row, left_out = _write_row(sample, target)
        rows.append(row)
        lost.update(left_out)
    if not rows:
        reasons = Counter(problem.problem for problem in refused)
        told = "; ".join(f"{count} rows: {reason}" for reason, count in reasons.items())
        raise UserError(f"format {target.name} can hold none of the {len(refused)} rows ({told}): choose another --format")
    _put(rows, out, carried)
    return Conversion(target.name, carried, len(rows), refused, dict(lost))


def _target(name: str) -> ManifestFormat:
    if name not in FORMATS:
        raise UserError(f"--format is {name}: it must be one of {', '.join(FORMATS)}")
    return FORMATS[name]


def _carrier(out: Path, carrier: str | None) -> Carrier:
    if carrier is not None:
        known: dict[str, Carrier] = {name: name for name in get_args(Carrier)}
        if carrier not in known:
            raise UserError(f"--carrier is {carrier}: it must be one of {', '.join(known)}")
        return known[carrier]
    if out.suffix.lower() not in _CARRIERS:
        suffixes = ", ".join(suffix for suffix in _CARRIERS if suffix)
        raise UserError(
            f"{out} ends in {out.suffix}: it must end in {suffixes}, or in nothing for a folder; or give --carrier"
        )
    return _CARRIERS[out.suffix.lower()]


def _with_label(sample: Sample, target: ManifestFormat) -> Sample:
    """A sample for a format that wants a label: the one that the answer names, where none is stated."""
    return replace(sample, label=label_of(sample)) if "label" in target.needs and sample.label is None else sample


def _refusal(sample: Sample, target: ManifestFormat) -> str | None:
    """Why a format cannot hold a sample; None where it can."""
    present = parts_of(sample)
    if unheld := sorted(present & _ESSENTIAL - target.holds):
        return f"has {' and '.join(unheld)}, which the format {target.name} cannot hold"
    if lacking := sorted(target.needs - present):
        return f"has no {' and no '.join(lacking)}, which the format {target.name} needs"
    return None


def _write_row(sample: Sample, target: ManifestFormat) -> tuple[dict[str, object], list[str]]:
    """The row of a sample, and what of the sample is not in it."""
    row = target.write(sample)
    common = {
        "split": sample.split,
        "label": None if "label" in target.holds else sample.label,
        "system": None if "system" in target.holds else sample.system,
    }
    row |= {name: value for name, value in common.items() if value is not None}
    lost: list[str] = sorted(
        part for part in parts_of(sample) - target.holds - {"label", "system"} if _is_lost(part, sample, target)
    )
    for name, value in sample.fields.items():
        # A field that the format has another meaning for would change what the row says.
        if name in target.fields | COMMON_FIELDS or recognise({**row, name: value}) is not target:
            lost.append(f"field {name}")
        else:
            row[name] = value
    return row, lost


def _is_lost(part: Part, sample: Sample, target: ManifestFormat) -> bool:
    if part == "question":
        return sample.question != target.question
    if part == "answer":
        return sample.answer != sample.label or "label" not in target.holds
    return True


def _put(rows: list[dict[str, object]], out: Path, carrier: Carrier) -> None:
    """Write beside `out` and rename."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        draft = Path(folder) / "draft"
        _write(rows, draft, carrier)
        if out.is_dir() and not out.is_symlink():
            # A folder cannot be renamed onto another; the old one goes with the temporary folder.
            shutil.move(out, Path(folder) / "old")
        draft.replace(out)


def _write(rows: list[dict[str, object]], path: Path, carrier: Carrier) -> None:
    if carrier == "json":
        write_json(rows, path)
    elif carrier == "jsonl":
        write_json_lines(rows, path)
    elif carrier == "csv":
        write_csv(rows, path)
    elif carrier == "parquet":
        from videoguard.manifests.carriers.parquet_table import write_parquet

        write_parquet(rows, path)
    else:
        from videoguard.manifests.carriers.dataset_folder import write_dataset_folder

        write_dataset_folder(rows, path)
