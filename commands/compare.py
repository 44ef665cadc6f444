"""`video-guard compare`: two or more models on the same samples."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from commands.score import ConfigOption, JsonOption, OutOption, SetOption, StateOption
from videoguard.errors import UserError
from videoguard.inference.rows import AnswerRow

_REGISTERED = "models:/"


def compare(
    models: Annotated[
        list[str], typer.Argument(help="Files of predictions, models:/NAME/VERSION, models:/NAME@ALIAS, or base.")
    ],
    out: OutOption = None,
    recipe: ConfigOption = None,
    overrides: SetOption = None,
    state: StateOption = Path(".video-guard"),
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server, where it is not in the state folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare models sample by sample: differences with 95 % intervals, tests, and a workbook. The first is compared with.

    A registered version is known by the answers that its last evaluation stored; "base" stands for its base model's answers
    to the same samples.

    Exit status: 0 done; 1 done, but answers have failed or rows could not be read; 2 the input was refused.

    Example: video-guard compare base models:/video-guard/1 models:/video-guard@champion
    """
    from commands.scoring import print_problems, print_scores, score_answers, scores_document, write_scored
    from videoguard.evaluation.comparing import compare_models
    from videoguard.recipes import load_scoring

    config = load_scoring(recipe, overrides or [])
    if len(models) < 2:
        raise UserError("compare takes two models or more: give another version or file of predictions")
    answers, problems = _answers(models, state, tracking_uri)
    console = Console(stderr=as_json)
    with console.status(f"scoring {sum(map(len, answers.values())):,} rows"):
        scored = [score_answers(name, rows, config, state, None) for name, rows in answers.items()]
        comparison = compare_models(scored, seed=config.seed)
        sources = {model.name: f"{source} ({len(model.rows):,} rows)" for model, source in zip(scored, models, strict=True)}
        workbook = write_scored(scored, comparison, config, out=out, stem="comparison", sources=sources, problems=problems)
    if as_json:
        documents = {model.name: scores_document(model, config.report.bands) for model in scored}
        found = {"comparison": comparison.model_dump(mode="json"), "models": documents, "workbook": str(workbook)}
        typer.echo(json.dumps(found | {"problems": problems}, indent=1, ensure_ascii=False))
    else:
        print_scores(console, scored, comparison, "Each model over all of its samples")
        print_problems(console, scored, problems)
        console.print(f"\nWorkbook   {workbook}", highlight=False, soft_wrap=True)
    if problems or any(row.status == "failed" for model in scored for row in model.rows):
        raise typer.Exit(1)


def _answers(models: Sequence[str], state: Path, tracking_uri: str | None) -> tuple[dict[str, list[AnswerRow]], list[str]]:
    """Rows of each model by the name that it is shown by, and what could not be read."""
    from videoguard.config import RegistrySection
    from videoguard.evaluation.predictions import read_predictions
    from videoguard.evaluation.stored import stored_answers, stored_base_answers

    adapters: dict[str, str] = {}
    uri = RegistrySection(tracking_uri=tracking_uri).uri(state)
    for model in models:
        if model.startswith(_REGISTERED):
            from videoguard.registry.references import find_model

            adapters[model] = find_model(model, uri).tags.get("adapter_digest", "")
    answers: dict[str, list[AnswerRow]] = {}
    problems: list[str] = []
    for model, name in zip(models, _names(models), strict=True):
        if model in adapters:
            answers[name] = stored_answers(state, model, adapters[model])
        elif model == "base" and not Path(model).exists():
            if not adapters:
                raise UserError("base stands for the base model of a registered version: name one beside it, or give a file")
            version, adapter = next(iter(adapters.items()))
            answers[name] = stored_base_answers(state, version, adapter)
        else:
            predictions = read_predictions(Path(model))
            answers[name] = predictions.rows
            problems += [f"{model}: {problem}" for problem in predictions.problems]
    return answers, problems


def _names(models: Sequence[str]) -> list[str]:
    """How each model is shown: a file by its name where no other has it, all else as it was given.

    Raises:
        UserError: a model was given twice.
    """
    if len(set(models)) < len(models):
        twice = next(model for model in models if list(models).count(model) > 1)
        raise UserError(f"{twice} is given twice: it would be compared with itself")
    stems = [model if model.startswith(_REGISTERED) else Path(model).stem for model in models]
    return [stem if stems.count(stem) == 1 else model for stem, model in zip(stems, models, strict=True)]
