"""The flow `generate-world`: pictures or videos and prompts in; clips, their measures and a workbook out."""

from pathlib import Path

from prefect import flow, unmapped

from tasks.pages import ProgressPages, show_account
from tasks.step import Workplace, start_work
from tasks.world import WorldBaseReference, check_adapter_task, find_world_base_task, use_adapter
from tasks.world_clips import generate_clips_task
from tasks.world_delivery import WorldSteps, summarize_world
from tasks.world_report import evaluate_clips_task, write_clips_report_task
from tasks.world_training import register_world_adapter_task, train_world_adapter_task, use_trained
from videoguard.config.world import WorldConfig
from videoguard.progress import listening
from videoguard.recipes import read_recipe
from videoguard.world.inputs import list_items
from videoguard.world.processes import count_processes
from videoguard.world.summary import WorldSummary


@flow(name="generate-world")
def generate_world(
    recipe: str | None = "configs/cosmos_tiny.yaml", overrides: list[str] | None = None, refresh: list[str] | None = None
) -> WorldSummary:
    """Generate clips by a recipe; without one, by overrides (`section.key=value`) alone. `refresh` names steps to redo."""
    config = read_recipe(WorldConfig, Path(recipe) if recipe else None, overrides or [])
    place = start_work(config.execution, refresh or [], config.registry.uri(config.execution.state))
    with listening(ProgressPages()):
        base = find_world_base_task(place, config.model, config.seed)
        steps = _generate(place, config, base)
    summary = summarize_world(place, config, steps)
    show_account(summary.steps)
    return summary


def _generate(place: Workplace, config: WorldConfig, base: WorldBaseReference) -> WorldSteps:
    items = list_items(config)
    adapters = [use_adapter(adapter, check_adapter_task(place, adapter, base)) for adapter in config.adapters]
    trained = train_world_adapter_task(place, config, base) if config.training else None
    version = register_world_adapter_task(place, config, base, trained) if trained else None
    adapters += [use_trained(trained)] if trained else []
    processes = count_processes(config.generation, len(items))
    given = [unmapped(each) for each in (place, config, base, adapters, items)]
    shares = generate_clips_task.map(*given, range(processes), unmapped(processes)).result()
    results = [result for share in shares for result in share]
    steps = WorldSteps(base=base, adapters=adapters, trained=trained, version=version, results=results)
    if config.evaluation is None:
        return steps
    evaluation = evaluate_clips_task(place, config, base, adapters, results)
    report = write_clips_report_task(place, config, base, trained, version, results, evaluation)
    return steps.model_copy(update={"evaluation": evaluation, "report": report})
