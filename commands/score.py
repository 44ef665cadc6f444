"""`video-guard score`: the scores of a file of predictions, whoever made them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Recipe whose metrics, bands and JSON Schema are used.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of evaluation or report; may be given several times."),
]
OutOption = Annotated[Path | None, typer.Option(help="Workbook to write; in the folder of reports if absent.")]
StateOption = Annotated[Path, typer.Option(help="State folder, where WordNet and the artifacts are.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")]


def score(
    file: Annotated[Path, typer.Argument(help="Predictions: rows.jsonl, or JSON, JSON Lines, CSV or Parquet.")],
    out: OutOption = None,
    recipe: ConfigOption = None,
    overrides: SetOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Score only so many rows; the figures say so.")] = None,
    media_root: Annotated[Path | None, typer.Option(help="Folder that video paths are relative to, for links.")] = None,
    state: StateOption = Path(".video-guard"),
    as_json: JsonOption = False,
) -> None:
    """Score a file of predictions and write the workbook. No model is run but the encoder of the BERT similarity.

    The rows are ours, or [{"video_path", "question", "ground_truth", "prediction", "status"?, "error"?}]; where they have
    "base_prediction" too, the two are compared.

    Exit status: 0 done; 1 done, but answers have failed or rows could not be read; 2 the input was refused.

    Example: video-guard score predictions.json --set "evaluation.metrics=[meteor, rouge_l]"
    """
    from commands.scoring import print_problems, print_scores, score_answers, scores_document, write_scored
    from videoguard.evaluation.comparing import compare_models
    from videoguard.evaluation.predictions import read_predictions
    from videoguard.recipes import load_scoring

    config = load_scoring(recipe, overrides or [])
    predictions = read_predictions(file, limit)
    partial = None if limit is None or limit >= predictions.total else f"limit={limit}"
    named = [("Predictions", predictions.rows)]
    if predictions.base_rows is not None:
        named.insert(0, ("Base predictions", predictions.base_rows))
    console = Console(stderr=as_json)
    with console.status(f"scoring {len(predictions.rows):,} rows"):
        models = [score_answers(name, rows, config, state, partial) for name, rows in named]
        comparison = compare_models(models, seed=config.seed, partial=partial) if len(models) > 1 else None
        sources = {model.name: f"{file} ({len(model.rows):,} rows)" for model in models}
        workbook = write_scored(
            models,
            comparison,
            config,
            out=out,
            stem=file.stem,
            sources=sources,
            problems=predictions.problems,
            media_root=media_root or file.parent,
        )
    if as_json:
        document = scores_document(models[-1], config.report.bands)
        if comparison is not None:
            document["base"] = scores_document(models[0], config.report.bands)
            document["comparison"] = comparison.model_dump(mode="json")
        document |= {"problems": predictions.problems, "workbook": str(workbook)}
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        print_scores(console, models, comparison, file.name)
        print_problems(console, models, predictions.problems)
        console.print(f"\nWorkbook   {workbook}", highlight=False, soft_wrap=True)
    if predictions.problems or any(row.status == "failed" for row in predictions.rows):
        raise typer.Exit(1)
