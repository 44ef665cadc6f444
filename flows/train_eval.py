"""The flow `train-eval`: videos and wanted answers in; a registered adapter, its scores and a workbook out."""

from pathlib import Path

from prefect import flow

from tasks.base_model import find_base_model
from tasks.dataset import build_dataset_task
from tasks.evaluation import score_answers
from tasks.frames import extract_frames_task
from tasks.inference import answer_test_split
from tasks.manifest import make_videos, read_listing_task
from tasks.registry import publish_results, register_adapter_task
from tasks.report import BASE, TUNED, Steps, summarize, write_report
from tasks.training import train_adapter
from videoguard.recipes import load_recipe, reproduce_command
from videoguard.summary import RunSummary


@flow(name="train-eval")
def train_eval(recipe: str = "configs/quickstart.yaml", overrides: list[str] | None = None) -> RunSummary:
    """Fine-tune and evaluate by a recipe; `overrides` are `section.key=value`, as `video-guard run --set` takes them."""
    config = load_recipe(Path(recipe), overrides or [])
    data, seed, state = config.data, config.seed, config.execution.state
    # A tiny base is pre-trained beside the making and decoding of the videos.
    found_base = find_base_model.submit(config.model, seed, state)
    make_videos(data, seed, config.frames.workers)
    manifest = read_listing_task(data, state)
    frames = extract_frames_task(data, config.frames, manifest, state)
    dataset = build_dataset_task(data, config.dataset, manifest, frames, seed, state)
    base = found_base.result()
    # The base answers and is scored while the adapter trains; Prefect hands the result of a future on.
    base_answers = answer_test_split.submit(config, base, None, dataset, frames, state)
    base_scored = score_answers.submit(config.evaluation, seed, base_answers, state)  # type: ignore[call-overload]
    adapter = train_adapter(config, base, dataset, frames, state)
    # The registration loads the model once more: it goes on beside the answers.
    version = register_adapter_task.submit(config.registry, data, base, manifest, frames, adapter, state)
    tuned_scored = score_answers(
        config.evaluation, seed, answer_test_split(config, base, adapter, dataset, frames, state), state
    )
    scored = {BASE: base_scored.result(), TUNED: tuned_scored}
    steps = Steps(
        manifest=manifest,
        frames=frames,
        dataset=dataset,
        base=base,
        adapter=adapter,
        version=version.result(),
        scored=scored,
    )
    report = write_report(config, reproduce_command(recipe, overrides or []), steps, state)
    publish_results(config.registry, adapter, scored, report, state)
    return summarize(config, steps, report, state)
