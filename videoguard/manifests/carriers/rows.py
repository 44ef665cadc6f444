"""What every carrier hands on: rows, and rows that it could not make out."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Carrier: TypeAlias = Literal["json", "jsonl", "csv", "parquet", "datasets"]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that is damaged as such, while those around it are whole."""

    problem: str


@dataclass(frozen=True, slots=True)
class CarriedRows:
    """The rows of a manifest, in order, whatever their format."""

    carrier: Carrier
    rows: list[object]
    digest: str
    """SHA-256 of what was read."""
