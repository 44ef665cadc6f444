"""`video-guard world`: clips of what comes next, and the adapters of the model that generates them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from videoguard.world.adapters.checks import AdapterFacts

app = typer.Typer(
    help="Generate video from a picture or video and a prompt (Cosmos Predict2), with LoRA adapters.", no_args_is_help=True
)


@app.command()
def inspect(
    adapter: Annotated[
        Path, typer.Argument(help="peft folder, .safetensors file of LoRA weights, or NVIDIA's .pt (base and LoRA in one).")
    ],
    base: Annotated[
        str | None,
        typer.Option(help="Folder or hub name of the base to check against; without it, the published size that fits."),
    ] = None,
    rank: Annotated[int | None, typer.Option("--lora-rank", help="Refuse an adapter of another rank.")] = None,
    alpha: Annotated[
        float | None, typer.Option("--lora-alpha", help="Alpha of the training, where the file does not say it.")
    ] = None,
    targets: Annotated[
        str | None,
        typer.Option("--lora-target-modules", metavar="A,B", help="Modules that have to be adapted, all and no others."),
    ] = None,
    convert: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the adapter as a peft folder in diffusers' names.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check an adapter against a base without loading either, and tell its size and the modules that it adapts.

    Exit status: 0 the adapter can be used; 2 it cannot: every fault is listed.

    Example: video-guard world inspect iter_000002000.pt --base nvidia/Cosmos-Predict2-2B-Video2World
    """
    # Loading them takes seconds, and no other command needs them.
    from videoguard.errors import UserError
    from videoguard.world.adapters.checks import Expected, check_adapter, recognize
    from videoguard.world.adapters.converting import convert_adapter, require_same_base
    from videoguard.world.adapters.files import read_adapter
    from videoguard.world.architecture import read_architecture
    from videoguard.world.base import find_world_base

    if convert is not None and convert.exists():
        raise UserError(f"--convert {convert}: it exists: give a new folder")
    found = read_adapter(adapter)
    folder = None if base is None else find_world_base(base, only_configuration=True).folder
    model = recognize(found) if folder is None else read_architecture(folder)
    names = None if targets is None else [target.strip() for target in targets.split(",") if target.strip()]
    facts = check_adapter(found, model, Expected(rank, alpha, names))
    if convert is not None:
        if folder is not None:
            require_same_base(found, folder)
        convert_adapter(found, facts, convert)
    if as_json:
        typer.echo(json.dumps(_as_json(facts), indent=1))
    else:
        _print(Console(), facts)
        if convert is not None:
            typer.echo(f"\nconverted: {convert}")


def _as_json(facts: "AdapterFacts") -> dict[str, object]:
    return {
        **facts.model_dump(mode="json"),
        "tensors": facts.tensors,
        "total_parameters": facts.total_parameters,
        "ratio": facts.ratio,
    }


def _print(console: Console, facts: "AdapterFacts") -> None:
    console.print(f"[bold]{facts.path}[/bold] fits {facts.compared_with}", highlight=False, soft_wrap=True)
    table = Table(show_header=False, box=None)
    scaling = f"{facts.alpha:g}" + (" (no file says it: taken to be the rank)" if facts.alpha_is_assumed else "")
    for name, value in {
        "layout": facts.layout,
        "rank": str(facts.rank) + (f" ({len(facts.ranks)} modules have another)" if facts.ranks else ""),
        "alpha": scaling + (", scaled by the root of the rank (rsLoRA)" if facts.use_rslora else ""),
        "total parameters": f"{facts.total_parameters:,}",
        "LoRA parameters": f"{facts.lora_parameters:,}",
        "LoRA parameter ratio": f"{facts.ratio:.3%}",
        "LoRA tensors": f"{facts.tensors:,} of {len(facts.modules):,} modules",
    }.items():
        table.add_row(name, value)
    console.print(table, highlight=False)
    console.print("\nadapted modules")
    for module in facts.modules:
        console.print(f"  {module}", highlight=False, soft_wrap=True)
