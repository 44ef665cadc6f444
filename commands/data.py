"""`video-guard data`: what a manifest holds, the same in another format, and what is learnt from it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from commands.options import RecipeArgument, SetOption
from videoguard.estimate.preview import Preview, PreviewRequest
from videoguard.manifests.checking import ManifestCheck, check_reading
from videoguard.manifests.converting import Conversion, convert_reading
from videoguard.manifests.reading import ManifestReading, read_manifest
from videoguard.manifests.sample import RowProblem
from videoguard.recipes import load_recipe
from videoguard.subprocesses import call

_MOST_LISTED = 20
_HOUR = 3600.0

app = typer.Typer(
    no_args_is_help=True,
    help="What a manifest holds, the same in another format, and what is learnt from it.",
    rich_markup_mode=None,
)

ManifestArgument = Annotated[
    Path, typer.Argument(help="Manifest file, folder that `datasets` saved, or owner/data-set of the Hugging Face hub.")
]
MediaRootOption = Annotated[
    Path | None, typer.Option("--media-root", help="Folder that media paths are relative to; the manifest's own if absent.")
]
AllowOutsideOption = Annotated[
    bool, typer.Option("--allow-outside", help="Let media lie outside the media root, as data.allow_outside does.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def check(
    manifest: ManifestArgument,
    media_root: MediaRootOption = None,
    allow_outside: AllowOutsideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a manifest holds: its format, samples by label and split, missing files, and each row that cannot be read.

    Exit status: 0 all of it can be used; 1 rows cannot be read or files are missing, and are listed; 2 it is no manifest.

    Example: video-guard data check data/my-videos/manifest.json
    """
    found = check_reading(read_manifest(manifest, media_root, allow_outside=allow_outside))
    if as_json:
        _print_json({"manifest": str(manifest), "ok": found.is_sound, **asdict(found)})
    else:
        _print_check(Console(), manifest, found)
    if not found.is_sound:
        raise typer.Exit(1)


@app.command()
def convert(
    manifest: ManifestArgument,
    out: Annotated[Path, typer.Argument(help="File to write, or a name without suffix for a folder of `datasets`.")],
    format_name: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="Format to write, such as messages; the manifest's if absent."),
    ] = None,
    carrier: Annotated[
        str | None, typer.Option(help="json, jsonl, csv, parquet or datasets; told by the suffix of OUT if absent.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT where it exists.")] = False,
    media_root: MediaRootOption = None,
    allow_outside: AllowOutsideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a manifest in another format or carrier; media paths stay as they are.

    Exit status: 0 all of it was written; 1 rows, or parts of rows, are left out and listed; 2 refused, nothing is written.

    Example: video-guard data convert manifest.json manifest.parquet --format messages
    """
    reading = read_manifest(manifest, media_root, allow_outside=allow_outside)
    done = convert_reading(reading, out, format_name=format_name, carrier=carrier, force=force)
    problems = sorted([*reading.problems, *done.refused], key=lambda problem: problem.row)
    left_out = {**reading.unread, **done.lost}
    if as_json:
        _print_json({**_conversion(done, out), "left_out": left_out, "problems": [asdict(problem) for problem in problems]})
    else:
        _print_conversion(Console(), reading, done, out, left_out, problems)
    if problems or left_out:
        raise typer.Exit(1)


@app.command()
def preview(
    recipe: RecipeArgument,
    sample: Annotated[
        str | None, typer.Option(metavar="ID|N", help="A sample by its id, or by its place in the training split, from 0.")
    ] = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one example as the training will see it: what the model reads, and marked what it learns to write.

    In a terminal that knows no colours, what is trained stands between « and ».

    Exit status: 0 done; 2 refused, also where none or all of its tokens would be trained.

    Example: video-guard data preview configs/quickstart.yaml --sample 3
    """
    request = PreviewRequest(config=load_recipe(recipe, overrides or []), sample=sample)
    with Console(stderr=True).status("preparing the example"):
        found = call("videoguard.estimate.previewing", request, Preview, threads=1, timeout_s=_HOUR)
    if as_json:
        _print_json({**found.model_dump(mode="json"), "tokens": found.tokens, "trained": found.trained})
    else:
        _print_preview(Console(), found)


def _print_preview(console: Console, found: Preview) -> None:
    shows = "text alone"
    if found.shown is not None and found.frames is not None:
        number, height, width = found.frames
        shows = f"{found.shown}, {number} frames of {width} × {height} pixels"
    _say(console, f"{found.sample} ({found.split}): {shows}")
    coloured = console.is_terminal and not console.no_color
    text = Text()
    for span in found.spans:
        marked = span.text if coloured or not span.trained else f"«{span.text}»"
        text.append(marked, style="bold black on green" if span.trained and coloured else "")
    console.print(text, soft_wrap=True)
    share = f"{found.trained / found.tokens:.1%}"
    _say(console, f"{found.tokens:,} tokens of at most {found.max_tokens:,}, {found.trained:,} of them trained ({share})")


def _conversion(done: Conversion, out: Path) -> dict[str, object]:
    return {"out": str(out), "format": done.format, "carrier": done.carrier, "written": done.written}


def _print_check(console: Console, manifest: Path, found: ManifestCheck) -> None:
    _say(console, f"{manifest}: {found.samples:,} samples, format {found.format}, carried as {found.carrier}")
    if len(found.rows_by_format) > 1:
        _say(console, "rows by format: " + _counts(found.rows_by_format))
    console.print(_labels_by_split(found))
    _say(console, f"media files: {found.media:,}, missing {len(found.missing):,}")
    _list(console, "Missing files", found.missing)
    _list(console, "Fields that are not read", [f"{field}: {rows:,} rows" for field, rows in found.unread.items()])
    _list(console, "Rows that cannot be read", [str(problem) for problem in found.problems])


def _labels_by_split(found: ManifestCheck) -> Table:
    """A line a label, a column a split."""
    table = Table("label", box=None, pad_edge=False)
    for split in found.splits:
        table.add_column("no split given" if split == "none" else split, justify="right")
    if len(found.splits) > 1:
        table.add_column("all", justify="right")
    for label in list(found.labels)[:_MOST_LISTED]:
        table.add_row(escape(label), *_line({split: found.labels_by_split[split].get(label, 0) for split in found.splits}))
    if len(found.labels) > _MOST_LISTED:
        table.add_row(f"and {len(found.labels) - _MOST_LISTED:,} other labels", *[""] * len(found.splits))
    table.add_section()
    table.add_row("all", *_line(found.splits))
    return table


def _line(counts: Mapping[str, int]) -> list[str]:
    figures = [*counts.values(), sum(counts.values())] if len(counts) > 1 else list(counts.values())
    return [f"{figure:,}" for figure in figures]


def _print_conversion(
    console: Console,
    reading: ManifestReading,
    done: Conversion,
    out: Path,
    left_out: Mapping[str, int],
    problems: Sequence[RowProblem],
) -> None:
    root = reading.samples[0].root
    _say(console, f"{out}: {done.written:,} rows, format {done.format}, carried as {done.carrier}")
    if any(sample.media for sample in reading.samples) and root.resolve() != out.parent.resolve():
        _say(console, f"media paths stay relative to {root}: read it with --media-root, or data.media_root of a recipe")
    _list(console, "Left out of the rows", [f"{part}: {rows:,} rows" for part, rows in left_out.items()])
    _list(console, "Rows that are left out", [str(problem) for problem in problems])


def _list(console: Console, heading: str, lines: Sequence[str]) -> None:
    """Every line: a check that tells a part of the problems is no check."""
    if not lines:
        return
    console.print(f"\n{heading}: {len(lines):,}", style="yellow", highlight=False)
    for line in lines:
        _say(console, f"  {line}")


def _say(console: Console, line: str) -> None:
    console.print(escape(line), highlight=False, soft_wrap=True)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
