"""The flow `generate-world`: pictures or videos and prompts in; clips out, each with the recipe that makes it again."""

from pathlib import Path

from prefect import flow, unmapped

from tasks.pages import ProgressPages, show_account
from tasks.step import start_work
from tasks.world import check_adapter_task, find_world_base_task, use_adapter
from tasks.world_clips import generate_clips_task
from tasks.world_delivery import deliver
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
    place, items = start_work(config.execution, refresh or []), list_items(config)
    with listening(ProgressPages()):
        base = find_world_base_task(place, config.model, config.seed)
        checked = [(each, check_adapter_task(place, each, base)) for each in config.adapters]
        adapters = [use_adapter(adapter, artifact) for adapter, artifact in checked]
        processes = count_processes(config.generation, len(items))
        given = [unmapped(each) for each in (place, config, base, adapters, items)]
        clips = generate_clips_task.map(*given, range(processes), unmapped(processes)).result()
    summary = deliver(place, config, base, adapters, [clip for share in clips for clip in share])
    show_account(summary.steps)
    return summary
