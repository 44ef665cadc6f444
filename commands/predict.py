"""`video-guard predict`: what models say about videos, side by side."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from videoguard.config import RegistrySection
from videoguard.errors import UserError

if TYPE_CHECKING:
    from videoguard.inference.rows import AnswerRow
    from videoguard.inference.structured.answers import JsonAnswers
    from videoguard.manifests.sample import Sample

_MOST_SHOWN = 20
_VOTE = "vote"
_LONGEST_NAME = 40


def predict(
    inputs: Annotated[list[Path], typer.Argument(metavar="MANIFEST|VIDEO…", help="Manifests, video files, or both.")],
    model: Annotated[
        list[str],
        typer.Option(
            metavar="MODEL",
            help="models:/NAME/VERSION, models:/NAME@ALIAS, the folder of an adapter, or a base model. "
            "Given several times: all answer, side by side.",
        ),
    ],
    question: Annotated[str | None, typer.Option(help="Asked in place of the questions of manifest and training.")] = None,
    output: Annotated[Path | None, typer.Option(help="File for the rows: .jsonl, .csv or .parquet.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many samples.")] = None,
    num_frames: Annotated[
        int | None, typer.Option(min=1, help="Frames taken of a video, where a base model is asked.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, tokens.")] = 256,
    json_schema: Annotated[
        Path | None, typer.Option(help="JSON Schema of the answers: they end with their value, and broken JSON is mended.")
    ] = None,
    constrained: Annotated[
        bool, typer.Option("--constrained", help="Hold answers to --json-schema while they are generated.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers written at a time.")] = 32,
    workers: Annotated[int, typer.Option(min=1, help="Processes that decode videos and prepare prompts.")] = 2,
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], typer.Option(help="Where the model computes.")] = "auto",
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(
            help="Number format of the weights; if absent that of the recipe, bfloat16 for a base on a GPU, or float32."
        ),
    ] = None,
    window: Annotated[
        float | None, typer.Option(help="Cut long videos into windows of so many seconds, each looked at as a clip.")
    ] = None,
    overlap: Annotated[float, typer.Option(min=0.0, help="Seconds that two windows have in common.")] = 0.0,
    merge: Annotated[
        Literal["vote", "distinct", "timeline"],
        typer.Option(help="What becomes of the windows' answers: the commonest, each different one, or each with its time."),
    ] = "vote",
    copies: Annotated[int, typer.Option(min=0, help="Look also at so many changed copies of each video, and vote.")] = 0,
    vote: Annotated[bool, typer.Option("--vote", help="Add a row of what most of several models agree on.")] = False,
    media_root: Annotated[
        Path | None, typer.Option(help="Folder that the media paths of manifests are relative to; their own if absent.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Base model in place of the recorded one: a folder or hub name.")] = None,
    state: Annotated[Path, typer.Option(help="State folder of the runs.")] = Path(".video-guard"),
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server, where it is not in the state folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Ask models about videos. What was answered before is not asked again, also after a kill.

    Exit status: 0 all is answered; 1 rows have no answer, or rows of a manifest cannot be read; 2 the input was refused.

    Example: video-guard predict clip.mp4 --model models:/video-guard/1 --question "Which exercise is this?"
    """
    # Loading them takes seconds, and no other command needs them.
    from videoguard.inference.row_store import ROW_STORE, RowStore
    from videoguard.inference.views import Looks, Windows
    from videoguard.inference.voting import vote as take_vote
    from videoguard.prediction.models import find_models
    from videoguard.prediction.output import require_writable, write_predictions
    from videoguard.prediction.predict import Listener, PredictionSettings
    from videoguard.prediction.predict import predict as ask_models

    if output is not None:
        require_writable(output)
    if len(set(model)) < len(model):
        raise UserError(f"--model is {', '.join(model)}: each model can be asked once")
    if vote and len(model) < 2:
        raise UserError("--vote takes the opinion of several models: give --model at least twice")
    if window is not None and not overlap < window:
        raise UserError(f"--window is {window} and --overlap is {overlap}: a window must be longer than what two share")
    if window is None and (overlap or merge != "vote"):
        raise UserError("--overlap and --merge say how windows are cut and merged: give --window with them")
    answers = _json_answers(json_schema, constrained=constrained)
    samples, problems = _read(inputs, media_root)
    samples = samples[:limit]
    uri = RegistrySection(tracking_uri=tracking_uri).uri(state)
    models = find_models(model, uri, base=base, frames=num_frames, dtype=dtype, device=device)
    looks = Looks(None if window is None else Windows(window, overlap), copies, merge)
    settings = PredictionSettings(max_new_tokens, question, batch_size, workers, device, looks, answers)
    console = Console(stderr=True)
    columns = (TextColumn("answers"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("answers", total=None)
        listener = Listener(
            lambda done, of: bars.update(bar, completed=done, total=of),
            lambda note: console.print(note, style="dim", highlight=False),
        )
        found = ask_models(samples, models, settings, RowStore(state / ROW_STORE), listener)
    rows = dict(zip(model, found, strict=True))
    if vote:
        rows[_VOTE] = [take_vote(side_by_side) for side_by_side in zip(*found, strict=True)]
    if output is not None:
        write_predictions(rows, output)
    failed = sum(row.status == "failed" for each in rows.values() for row in each)
    if as_json:
        told = {name: [row.model_dump(mode="json") for row in each] for name, each in rows.items()}
        typer.echo(json.dumps({"rows": told, "problems": problems}, indent=1, ensure_ascii=False))
    else:
        _print(Console(), rows, output, problems)
    if failed or problems:
        raise typer.Exit(1)


def _json_answers(schema: Path | None, *, constrained: bool) -> "JsonAnswers | None":
    """What the options say of JSON answers; None where they are text."""
    from videoguard.dataset.answer_schema import load_answer_schema
    from videoguard.inference.structured.answers import JsonAnswers
    from videoguard.inference.structured.schemas import require_grammar

    if schema is None:
        if constrained:
            raise UserError("--constrained holds answers to a schema: give --json-schema with it")
        return None
    answers = JsonAnswers(load_answer_schema(schema), constrained)
    if constrained:
        require_grammar(answers.schema.content)
    return answers


def _read(inputs: Sequence[Path], media_root: Path | None) -> "tuple[list[Sample], list[str]]":
    """Samples of all inputs, and what could not be read of manifests."""
    from videoguard.manifests.reading import read_manifest
    from videoguard.prediction.questions import is_manifest, sample_of_video

    samples: list[Sample] = []
    problems: list[str] = []
    for given in inputs:
        if is_manifest(given):
            reading = read_manifest(given, media_root)
            samples += reading.samples
            problems += [f"{given}: {problem}" for problem in reading.problems]
        else:
            samples.append(sample_of_video(given))
    return samples, problems


def _end_of(name: str) -> str:
    """A name that fits into a table: of a long path the end tells more than the beginning."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def _print(console: Console, rows: "dict[str, list[AnswerRow]]", output: Path | None, problems: Sequence[str]) -> None:
    table = Table("sample")
    for name in rows:
        table.add_column(escape(name))
    side_by_side = list(zip(*rows.values(), strict=True))
    for each in side_by_side[:_MOST_SHOWN]:
        told = [escape(row.answer or "") if row.status == "ok" else f"[red]{escape(row.error or '')}[/red]" for row in each]
        table.add_row(escape(_end_of(each[0].id)), *told)
    console.print(table)
    if len(side_by_side) > _MOST_SHOWN:
        where = "--output FILE writes all" if output is None else f"{output} has all"
        console.print(f"… and {len(side_by_side) - _MOST_SHOWN:,} more: {where}", highlight=False)
    for problem in problems[:_MOST_SHOWN]:
        console.print(f"not read: {problem}", style="yellow", highlight=False, soft_wrap=True, markup=False)
    failed = sum(row.status == "failed" for each in rows.values() for row in each)
    total = sum(map(len, rows.values()))
    console.print(f"{total - failed:,} answers, {failed:,} failed" + (f"; {output}" if output is not None else ""))
