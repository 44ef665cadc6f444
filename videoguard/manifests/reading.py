"""A manifest in; samples out, and every row that could not be read with its reason."""

import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from videoguard.errors import UserError
from videoguard.manifests.carriers.loading import is_hub_name, load_rows
from videoguard.manifests.carriers.rows import Carrier, UnreadableRow
from videoguard.manifests.fields import Row, show, show_names
from videoguard.manifests.formats.catalogue import FORMATS, NESTED_FIELDS, recognise
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.paths import MediaRule
from videoguard.manifests.sample import RowProblem, Sample

_PROBLEMS_TOLD = 5


@dataclass(frozen=True)
class ManifestReading:
    """What was read of a manifest, in its order, and what was not."""

    samples: list[Sample]
    rows: list[int]
    """Position in the manifest of each sample's row."""
    problems: list[RowProblem]
    formats: dict[str, int]
    """Rows of each format, the commonest first."""
    carrier: Carrier
    unread: dict[str, int]
    """Rows that have each field whose value no sample can hold."""
    digest: str
    """SHA-256 of what was read."""

    @property
    def format(self) -> str:
        """Name of the format; every name where rows of several stand together."""
        return ", ".join(self.formats)


def read_manifest(path: Path, media_root: Path | None = None, *, allow_outside: bool = False) -> ManifestReading:
    """Read a manifest in any format and carrier.

    A row that cannot be read becomes problems, one for each field, and the others go on. The format is told row by row by
    the names of its fields (`formats/catalogue.py`), the carrier by the content (`carriers/loading.py`). Media files need
    not exist. Their paths are relative to `media_root` and must not leave it, unless `allow_outside`; symbolic links of
    that folder are followed.

    Args:
        path: a file in UTF-8 or Parquet, a folder that `datasets` saved, or `owner/data-set` of the Hugging Face hub.
        media_root: folder that media paths are relative to; when None the manifest's own, or the working folder where
            the manifest is on the hub.
        allow_outside: whether media may lie anywhere.

    Raises:
        UserError: the manifest or the media root is missing or cannot be read, or no row of it can.
    """
    carried = load_rows(path)
    root = media_root if media_root is not None else default_media_root(path)
    if not root.is_dir():
        raise UserError(
            f"data.media_root {root} is not a folder: it must be the folder that the media paths are relative to"
        )
    contents = [_unpack(row) for row in carried.rows] if carried.carrier in {"csv", "parquet", "datasets"} else carried.rows
    known = [recognise(row) if isinstance(row, dict) else None for row in contents]
    formats = Counter(found.name for found in known if found is not None)
    main = FORMATS[formats.most_common(1)[0][0]] if formats else None
    rows = _Rows(MediaRule(root, allow_outside))
    for number, (content, found) in enumerate(zip(contents, known, strict=True)):
        # A row that has the fields of no format is measured by that of the others.
        rows.read(number, content, found or main)
    if not rows.samples:
        _refuse_manifest(path, len(contents), rows.problems)
    return ManifestReading(
        samples=_with_ids(rows.samples),
        rows=rows.numbers,
        problems=rows.problems,
        formats=dict(formats.most_common()),
        carrier=carried.carrier,
        unread=dict(rows.unread),
        digest=carried.digest,
    )


def default_media_root(path: Path) -> Path:
    """Folder that media paths are relative to where none is given."""
    return Path() if is_hub_name(path) else path.parent


class _Rows:
    """The good rows and the problems of the others, both in order."""

    def __init__(self, media: MediaRule) -> None:
        self._media = media
        self._places: dict[Hashable, int] = {}
        self.samples: list[Sample] = []
        self.numbers: list[int] = []
        self.problems: list[RowProblem] = []
        self.unread: Counter[str] = Counter()

    def read(self, number: int, content: object, format_: ManifestFormat | None) -> None:
        """Read one row by a format, and keep its sample or its problems."""
        if isinstance(content, UnreadableRow):
            self._refuse(number, content.problem)
        elif not isinstance(content, dict):
            self._refuse(number, f"is {show(content)}: it must be an object")
        elif format_ is None:
            self._refuse(number, f"has the fields {show_names(content)}: no format has these (docs/data.md lists them)")
        else:
            row = Row(number, content, self._media)
            sample = format_.read(row)
            self.problems += row.problems
            if sample is None:
                return
            if (earlier := self._places.setdefault(_said(sample), number)) != number:
                self._refuse(number, f"repeats row {earlier}: media, question and answer are the same")
                return
            self.unread.update(row.unread)
            self.samples.append(sample)
            self.numbers.append(number)

    def _refuse(self, number: int, problem: str) -> None:
        self.problems.append(RowProblem(number, "row", problem))


def _said(sample: Sample) -> Hashable:
    """What makes a row another one; the split too, so that the same row in two splits is refused as an overlap of these."""
    shown = (sample.video, sample.images, sample.guard, sample.output_video)
    return (shown, sample.system, sample.history, sample.question, sample.answer, sample.split)


def _with_ids(samples: Sequence[Sample]) -> list[Sample]:
    """Samples named after what they show; where several show the same, or nothing, a digest tells them apart."""
    times = Counter(sample.media[:1] for sample in samples)
    return [replace(sample, id=_id(sample, times[sample.media[:1]])) for sample in samples]


def _id(sample: Sample, times: int) -> str:
    if not sample.media:
        return f"text#{_digest(sample)[:16]}"
    return sample.media[0] if times == 1 else f"{sample.media[0]}#{_digest(sample)[:8]}"


def _digest(sample: Sample) -> str:
    return hashlib.sha256(json.dumps(repr(_said(sample))).encode("ascii")).hexdigest()


def _unpack(row: object) -> object:
    """A row of a table, the cells of nested fields read as the JSON that they hold."""
    if not isinstance(row, Mapping):
        return row
    return {name: _parse_cell(cell) if name in NESTED_FIELDS else cell for name, cell in row.items()}


def _parse_cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        # Not JSON: the format tells what must stand there.
        return cell


def _refuse_manifest(path: Path, rows: int, problems: Sequence[RowProblem]) -> None:
    told = [f"  - {problem}" for problem in problems[:_PROBLEMS_TOLD]]
    more = [f"  - and {len(problems) - len(told)} more problems"] if len(problems) > len(told) else []
    raise UserError("\n".join([f"manifest {path}: none of its {rows} rows can be read", *told, *more]))
