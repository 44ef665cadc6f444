"""`video-guard world`: clips of what comes next, and the adapters of the model that generates them."""

import json
import signal
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from commands.options import SetOption, SummaryOption, VerboseOption
from commands.prefect_server import prefect_server
from commands.run import interrupt
from commands.terminal import RunDisplay, print_list, print_steps
from videoguard.config.world import WorldConfig
from videoguard.errors import UserError
from videoguard.recipes import read_recipe
from videoguard.world.inputs import list_items, read_training_batch

if TYPE_CHECKING:
    from videoguard.world.adapters.checks import AdapterFacts
    from videoguard.world.summary import WorldSummary

app = typer.Typer(
    help="Generate video from a picture or video and a prompt (Cosmos Predict2), with LoRA adapters.", no_args_is_help=True
)


@app.command()
def generate(
    recipe: Annotated[
        Path | None, typer.Argument(help="YAML recipe, such as configs/cosmos.yaml, or the .json beside a generated clip.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Folder or hub name of the base pipeline.")] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH[=WEIGHT]", help="LoRA adapter, and how strongly it works; may be given several times."),
    ] = None,
    input_file: Annotated[Path | None, typer.Option("--input", help="Picture or video that the clip goes on from.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What happens.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What is to be avoided.")] = None,
    batch: Annotated[
        Path | None,
        typer.Option("--batch-input-json", help='JSON list of {"input_video", "prompt", "output_video"}.'),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File of the clip; with a batch, the folder of the clips.")] = None,
    resolution: Annotated[Literal["480p", "720p"] | None, typer.Option(help="768×432 or 1280×704 pixels.")] = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second: 16 or 10.")] = None,
    condition_frames: Annotated[int | None, typer.Option(help="Last frames of the input to begin with: 1 or 5.")] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the clip, one more than a multiple of 4.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How strongly the prompt is followed.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise: the same seed gives the same clip.")] = None,
    offload: Annotated[
        Literal["none", "model", "sequential"] | None, typer.Option(help="What leaves the GPU while it rests.")
    ] = None,
    processes: Annotated[int | None, typer.Option(help="Processes that share the items, one a GPU.")] = None,
    no_guardrail: Annotated[bool, typer.Option("--no-guardrail", help="Look at no prompt and no clip; recorded.")] = False,
    no_refiner: Annotated[bool, typer.Option("--no-refiner", help="Take prompts as they are; recorded.")] = False,
    overrides: SetOption = None,
    refresh: Annotated[
        list[str] | None, typer.Option(metavar="STEP", help="Make a step again though it is stored, such as world-clip.")
    ] = None,
    as_json: SummaryOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Generate clips by a recipe, by options, or both; each gets a .json beside it that makes it again.

    Exit status: 0 done; 1 done, but a clip failed and is listed; 2 the input was refused; 130 interrupted.

    Example: video-guard world generate --base nvidia/Cosmos-Predict2-2B-Video2World --input street.jpg
    --prompt "A static traffic camera captures an intersection." --output street.mp4 --adapter traffic.pt=0.8
    """
    settings: dict[str, object] = {
        "model.base": base,
        "adapters": [_adapter(each) for each in adapter] if adapter else None,
        "inputs.batch": None if batch is None else str(batch),
        "generation.resolution": resolution,
        "generation.fps": fps,
        "generation.condition_frames": condition_frames,
        "generation.frames": frames,
        "generation.guidance": guidance,
        "generation.steps": steps,
        "generation.negative_prompt": negative_prompt,
        "generation.processes": processes,
        "seed": seed,
        "model.offload": offload,
        "safety.guardrail": "off" if no_guardrail else None,
        "safety.refiner": "off" if no_refiner else None,
        **_one_item(input_file, prompt, output, batch),
    }
    # JSON is YAML, which is what an override's value is read as.
    given = [f"{key}={json.dumps(value)}" for key, value in settings.items() if value is not None]
    summary = _run(recipe, [*given, *(overrides or [])], refresh or [], as_json=as_json, verbose=verbose)
    if not summary.complete:
        raise typer.Exit(1)


def _adapter(given: str) -> dict[str, object]:
    path, equals, weight = given.rpartition("=")
    if not equals:
        return {"path": given}
    try:
        return {"path": path, "weight": float(weight)}
    except ValueError:
        raise UserError(f"--adapter {given}: {weight!r} is no number: it must read PATH or PATH=WEIGHT") from None


def _one_item(input_file: Path | None, prompt: str | None, output: Path | None, batch: Path | None) -> dict[str, object]:
    if input_file is None and prompt is None:
        return {} if output is None else {"output": str(output)}
    if input_file is None or prompt is None or batch is not None:
        raise UserError("--input and --prompt belong together, and stand for --batch-input-json: give both, and no batch")
    file = output or Path("data/generated") / f"{input_file.stem}.mp4"
    item = {"input": str(input_file), "prompt": prompt, "output": str(file.name)}
    return {"inputs": {"items": [item]}, "output": str(file.parent)}


def _run(recipe: Path | None, overrides: list[str], refresh: list[str], *, as_json: bool, verbose: bool) -> "WorldSummary":
    config = read_recipe(WorldConfig, recipe, overrides)
    # Refused before Prefect is started.
    list_items(config)
    if config.training is not None:
        read_training_batch(config.training.batch)
    console = Console(stderr=as_json)
    signal.signal(signal.SIGINT, interrupt)
    with ExitStack() as served:
        with console.status("starting Prefect"):
            flow = "flows.generate_world"
            served.enter_context(
                prefect_server(config.execution.state, verbose=verbose, meanwhile=lambda: import_module(flow))
            )
            from flows.generate_world import generate_world
        with RunDisplay(console):
            summary = generate_world(None if recipe is None else str(recipe), overrides, refresh)
    if as_json:
        typer.echo(summary.model_dump_json(indent=1))
    else:
        _print_summary(console, summary)
    return summary


def _print_summary(console: Console, summary: "WorldSummary") -> None:
    if summary.is_noise:
        console.print("The clips are noise: the pipeline is a tiny one of random weights.", style="yellow")
    print_steps(console, summary.steps)
    if summary.measures:
        console.print(_measures(summary.measures))
    print_list(console, "Clips that failed", [f"{clip}: {reason}" for clip, reason in summary.failed.items()])
    print_list(console, "Clips left out of the training", [f"{clip}: {why}" for clip, why in summary.left_out.items()])
    print_list(console, "Clips that came out different by the same seed", summary.differing)
    console.print(f"\nGuardrail  {summary.guardrail}\nRefiner    {summary.refiner}", highlight=False)
    if summary.losses is not None:
        console.print(f"Training   loss {summary.losses[0]:.4f} to {summary.losses[1]:.4f}", highlight=False)
        console.print(f"Model      {summary.registered_model}, version {summary.version}", highlight=False)
    if summary.workbook is not None:
        console.print(f"Workbook   {summary.workbook}", highlight=False, soft_wrap=True)
    for clip in summary.clips:
        console.print(f"Clip       {clip}", highlight=False, soft_wrap=True)


def _measures(measures: dict[str, dict[str, float]]) -> Table:
    table = Table(title="measures: mean over the clips", title_justify="left")
    table.add_column("measure")
    for variant in measures:
        table.add_column(variant, justify="right")
    for measure in dict.fromkeys(name for means in measures.values() for name in means):
        table.add_row(measure, *(f"{means[measure]:.3f}" if measure in means else "" for means in measures.values()))
    return table


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
