"""`video-guard estimate`: what a run will take, before it starts."""

import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from commands.options import RecipeArgument, SetOption
from videoguard.disk import Need, size_in_words
from videoguard.estimate.result import Estimate, EstimateRequest, require_possible
from videoguard.recipes import load_recipe
from videoguard.subprocesses import call

_HOUR = 3600.0


def estimate(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell what a run will take: samples, tokens, steps, parameters, memory and disk.

    Videos are not decoded and no weights are loaded: of a model of the hub, only configuration and tokenizer are fetched.

    Exit status: 0 the run can be done here; 2 it cannot, or the recipe is refused.

    Example: video-guard estimate configs/qved.yaml --set training.batch_size=1
    """
    request = EstimateRequest(config=load_recipe(recipe, overrides or []))
    with Console(stderr=True).status("estimating"):
        found = call("videoguard.estimate", request, Estimate, threads=1, timeout_s=_HOUR)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=1, ensure_ascii=False))
    else:
        _print(Console(), found)
    require_possible(found)


def _as_json(found: Estimate) -> dict[str, object]:
    return {
        **found.model_dump(mode="json"),
        "trainable_ratio": found.parameters.ratio,
        "memory_bytes": found.memory_bytes,
        "disk_bytes": found.disk_bytes,
        "problems": found.problems(),
    }


def _print(console: Console, found: Estimate) -> None:
    samples = ", ".join(f"{split} {number:,}" for split, number in found.samples.items())
    _say(console, f"{found.name}: {samples}; {found.examples:,} examples a pass, {found.steps:,} optimizer steps")
    if found.unreadable:
        _say(console, f"{len(found.unreadable):,} videos or lists of images cannot be read, and will be quarantined")
    for split, counts in found.tokens.items():
        _say(
            console,
            f"tokens of {split}: longest {counts.longest:,} ({counts.longest_sample}), mean {counts.mean:,.1f}, "
            f"{counts.trained / counts.total:.1%} of them trained",
        )
    if not found.tokens:
        _say(console, f"tokens: the base has no tokenizer on disk, so {found.max_tokens:,} (training.max_tokens) are taken")
    parameters = found.parameters
    _say(
        console,
        f"parameters of {found.base}: {parameters.total:,}, {parameters.trainable:,} trained ({parameters.ratio:.2%})",
    )
    memory = f"memory {size_in_words(found.memory_bytes)} of {size_in_words(found.device.bytes)} ({found.device.name})"
    console.print(_needs(memory, found.memory))
    disk = f"disk {size_in_words(found.disk_bytes)} with a reserve, {size_in_words(found.free_bytes)} free in {found.state}"
    console.print(_needs(disk, found.disk))


def _needs(title: str, needs: Sequence[Need]) -> Table:
    table = Table("part", title=escape(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("how")
    for need in needs:
        table.add_row(need.part, size_in_words(need.bytes), escape(need.how))
    return table


def _say(console: Console, line: str) -> None:
    console.print(escape(line), highlight=False, soft_wrap=True)
