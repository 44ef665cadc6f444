"""The flow `train-eval`: videos and wanted answers in; a registered adapter, its scores and a workbook out."""

from pathlib import Path

from prefect import flow

from tasks.base_model import find_base_model, learns_from_dataset
from tasks.cluster import helped_by
from tasks.comparison import compare_scored
from tasks.dataset import build_dataset_task
from tasks.evaluation import ScoredModel, score_answers
from tasks.frames import store_frames
from tasks.inference import Answers, answer_all, one_process
from tasks.manifest import make_videos, read_listing_task
from tasks.pages import ProgressPages, show_account
from tasks.promotion import put_to_test
from tasks.quality import judge_quality
from tasks.record import record_results
from tasks.registry import publish_report, register_adapter_task
from tasks.report import BASE, TUNED, Steps, summarize, write_report
from tasks.space import check_space
from tasks.step import Workplace, start_work
from tasks.training import train_adapter
from videoguard.config import RunConfig
from videoguard.progress import listening
from videoguard.recipes import load_recipe, reproduce_command
from videoguard.summary import RunSummary


@flow(name="train-eval")
def train_eval(
    recipe: str = "configs/quickstart.yaml", overrides: list[str] | None = None, refresh: list[str] | None = None
) -> RunSummary:
    """Fine-tune and evaluate by a recipe.

    Args:
        recipe: YAML file.
        overrides: `section.key=value`, as `video-guard run --set` takes them.
        refresh: steps to make again though they are stored.
    """
    config = load_recipe(Path(recipe), overrides or [])
    place = start_work(config.execution, refresh or [], config.registry.uri(config.execution.state))
    with listening(ProgressPages()), helped_by(config.execution):
        summary = _run_steps(place, config, reproduce_command(recipe, overrides or []))
    show_account(summary.steps)
    return summary


def _run_steps(place: Workplace, config: RunConfig, command: str) -> RunSummary:
    data, seed = config.data, config.seed
    # A tiny base is pre-trained beside the making and decoding of the videos, unless it reads the training split.
    found_base = None if learns_from_dataset(config.model) else find_base_model.submit(place, config.model, seed)
    make_videos(data, seed, config.frames.workers)
    manifest = read_listing_task(place, data)
    check_space(place, config, manifest)
    frames = store_frames(place, data, config.frames, manifest)
    quality = judge_quality(place, config, manifest, frames)
    dataset = build_dataset_task(place, data, config.dataset, manifest, frames, seed, quality)
    base = found_base.result() if found_base else find_base_model(place, config.model, seed, dataset)
    # The base answers and is scored while the adapter trains; Prefect hands on what futures come to.
    base_answers = answer_all(place, config, base, None, dataset, frames)
    base_scores = score_answers.submit(place, config, base_answers)  # type: ignore[arg-type]
    adapter = train_adapter(place, config, base, dataset, frames)
    version = register_adapter_task.submit(place, config, base, dataset, adapter)
    # The new adapter and the champion share the process that answers and scores.
    with one_process(config):
        tuned_answers = answer_all(place, config, base, adapter, dataset, frames).result()
        tuned_scores = score_answers(place, config, tuned_answers)
        scored = {
            BASE: ScoredModel(answers=Answers(shards=tuple(base_answers.result())), evaluation=base_scores.result()),
            TUNED: ScoredModel(answers=Answers(shards=tuple(tuned_answers)), evaluation=tuned_scores),
        }
        comparison = compare_scored(place, config, scored)
        promotion = put_to_test(place, config, version.result(), [*scored.values()], base, dataset, frames)
    recorded = record_results(place, config, base, dataset, version.result(), scored, comparison, TUNED, promotion)
    steps = Steps(
        manifest=manifest,
        frames=frames,
        quality=quality,
        dataset=dataset,
        base=base,
        adapter=adapter,
        version=version.result(),
        scored=scored,
        comparison=comparison,
        recorded=recorded,
        promotion=promotion,
    )
    report = write_report(place, config, command, steps)
    published = publish_report(place, config, recorded, report)
    return summarize(place, config, steps, report, published)
