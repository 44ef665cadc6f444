"""A night with 1 % new samples beside a night that finds nothing stored: seconds of the whole command.

    python benchmarks/nightly.py                about a quarter of an hour on two cores
    python benchmarks/nightly.py --samples 200 --layers 2 --width 128

Champion, candidate and base are real: a tiny InternVL, larger than that of the quickstart, and two adapters that
`video-guard run` trains and registers for the purpose. Three nights of `video-guard nightly` follow, each from the start of
the command to its end, with a temporary Prefect server: the full one decodes all clips, has all three models answer all
samples, scores, compares and writes the workbook; the small one finds 1 % more samples in the manifest; the last one finds
nothing new. The goal: the small night costs at most 5 % of the full one and computes exactly the new
answers, one a sample and model.

A small night is nearly all fixed cost, so that the share depends on what an answer costs. The last lines therefore tell the
answers a second of the full night, and how long a full night must be for the small one to be 5 % of it.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing, redirect_stdout
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("video-guard")
GOAL, NEW_SHARE, MODELS = 0.05, 0.01, 3
TRAINED = 72
SIZE, SECONDS, FPS = 128, 2.0, 12
RECIPE = """
name: {name}
seed: 0
data: {{manifest: {manifest}, media_root: data}}
frames: {{count: 8, max_side: 96, shards: 16}}
dataset: {{validation: 0.2, test: 0.2}}
model: {{base: {base}}}
training: {{epochs: 2, batch_size: 8, learning_rate: {rate}, evaluations: 1, lora: {{r: 8, alpha: 16}}}}
inference: {{batch_size: 32, max_new_tokens: 48}}
registry: {{tracking_uri: "sqlite:///{work}/mlflow.db"{promotion}}}
execution: {{state: {state}}}
"""


@dataclass
class NightRun:
    """One `video-guard nightly`, from its start to its end."""

    seconds: float
    outcome: str
    samples: int
    computed: int
    """Answers made, of all models."""
    tasks: dict[str, float]
    """Seconds in which a task of this name ran; what ran side by side counts for each name."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2_000, help="Test samples of the full night.")
    parser.add_argument("--layers", type=int, default=10, help="Layers of the tiny model.")
    parser.add_argument("--width", type=int, default=512, help="Hidden size of its language model.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, help="Folder to work in, and to leave; a temporary one if absent.")
    arguments = parser.parse_args()
    new = max(1, round(arguments.samples * NEW_SHARE))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        work = arguments.work or Path(folder)
        prepare(work, arguments)
        runs = {}
        for name, samples in (("full", arguments.samples), ("small", arguments.samples + new), ("nothing new", None)):
            if samples is not None:
                choose(work, samples)
            runs[name] = run_night(work)
    full, small, idle = runs.values()
    share = small.seconds / full.seconds
    exact = (full.computed, small.computed, idle.computed) == (arguments.samples * MODELS, new * MODELS, 0)
    well = all(run.outcome == "passed" for run in runs.values())
    if arguments.json:
        print(json.dumps({"nights": {name: asdict(run) for name, run in runs.items()}, "share": share, "exact": exact}))
    else:
        report(runs)
        print(f"answers made: {full.computed:,}; of {new} new samples {small.computed}, {MODELS} each; then {idle.computed}")
        rate = full.computed / full.tasks["inference"]
        print(
            f"{rate:.1f} answers/s in the full night; the small one is 5 % of a full night of {small.seconds / GOAL:,.0f} s"
        )
        print(f"nightly share {100 * share:.1f} % goal {100 * GOAL:.0f} % at most")
        print(f"nightly ratio {GOAL / share:.2f} goal 1.00")
    return 0 if share <= GOAL and exact and well else 1


def report(runs: dict[str, NightRun]) -> None:
    names = list(dict.fromkeys(task for run in runs.values() for task in run.tasks))
    print(f"{'seconds':34}" + "".join(f"{name:>14}" for name in runs))
    for name in names:
        print(f"{name:34}" + "".join(f"{run.tasks.get(name, 0.0):14.1f}" for run in runs.values()))
    print(f"{'the whole command':34}" + "".join(f"{run.seconds:14.1f}" for run in runs.values()))
    print(f"{'outcome':34}" + "".join(f"{run.outcome:>14}" for run in runs.values()))


def prepare(work: Path, arguments: argparse.Namespace) -> None:
    """The clips, a tiny base that writes words, and two versions in MLflow: champion and candidate."""
    from videoguard.config import TinyModel
    from videoguard.exercises.catalogue import CLASSES
    from videoguard.exercises.generate import generate_exercise_videos
    from videoguard.models.tiny.pretraining import pretrain
    from videoguard.models.tiny.request import PretrainingRequest

    clips = TRAINED + round(arguments.samples * (1 + NEW_SHARE)) + 1
    each = -(-clips // len(CLASSES))
    generate_exercise_videos(
        work / "data", videos_per_form=each, answers="text", size=SIZE, seconds=SECONDS, fps=FPS, seed=0, workers=2
    )
    size = TinyModel(
        layers=arguments.layers, text_width=arguments.width, pretraining_steps=12, pretraining_videos_per_form=1
    )
    folder = work / "pretraining"
    folder.mkdir()
    request = PretrainingRequest(size=size, seed=0, workers=2, output=folder, checkpoints=folder / "checkpoints")
    with redirect_stdout(sys.stderr):
        pretrain(request, lambda event: None)
    rows = ordered(work)
    (work / "trained.json").write_text(json.dumps(rows[:TRAINED]))
    write_recipe(work, "night", state="night", manifest="tonight.json", rate=1e-3)
    for number, (alias, rate) in enumerate((("champion", 1e-3), ("candidate", 2e-3)), start=1):
        recipe = write_recipe(work, f"train{number}", state="training", manifest="trained.json", rate=rate, untested=True)
        video_guard(work, "run", recipe, "--json")
        give_alias(work, alias, str(number))


def ordered(work: Path) -> list[dict[str, Any]]:
    """The generated rows, one of each class after the other, so that any first part has all classes."""
    rows: list[dict[str, Any]] = json.loads((work / "data" / "manifest.json").read_text())
    by_class: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_class.setdefault(json.dumps(row["conversations"]), []).append(row)
    return [row for turn in zip(*by_class.values(), strict=False) for row in turn]


def write_recipe(work: Path, name: str, *, state: str, manifest: str, rate: float, untested: bool = False) -> str:
    text = RECIPE.format(
        name=name,
        manifest=manifest,
        base=work / "pretraining" / "model",
        rate=rate,
        work=work,
        promotion=", promotion: null" if untested else "",
        state=state,
    )
    (work / f"{name}.yaml").write_text(text)
    return f"{name}.yaml"


def choose(work: Path, samples: int) -> None:
    """Let the manifest of the nights have so many test samples, beside those that were trained on."""
    rows = ordered(work)[: TRAINED + samples]
    (work / "tonight.json").write_text(
        json.dumps([{**row, "split": "train" if number < TRAINED else "test"} for number, row in enumerate(rows)])
    )


def give_alias(work: Path, alias: str, version: str) -> None:
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{work}/mlflow.db").set_registered_model_alias("video-guard", alias, version)


def run_night(work: Path) -> NightRun:
    started = time.time()
    summary = video_guard(work, "nightly", "night.yaml", "--json", "--no-promote")
    ended = time.time()
    night = summary["night"]
    computed = sum(model["computed"] for model in night["asked"].values())
    tasks = task_seconds(work / "night" / "prefect" / "prefect.db", started, ended)
    return NightRun(ended - started, night["outcome"], night["samples"], computed, tasks)


def video_guard(work: Path, *arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([str(PROGRAM), *arguments], cwd=work, env=environment, capture_output=True, text=True)
    if ended.returncode not in (0, 1) or not ended.stdout.strip():
        raise SystemExit(f"video-guard {' '.join(arguments)} ended with {ended.returncode}: {ended.stderr}")
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def task_seconds(database: Path, started: float, ended: float) -> dict[str, float]:
    """Seconds by the name of the task, from what Prefect recorded of the run since `started`; the first and the last are
    what was spent before the flow and after it."""
    with closing(sqlite3.connect(database)) as records:
        ((flow, began, over),) = records.execute(
            "SELECT id, start_time, end_time FROM flow_run ORDER BY start_time DESC LIMIT 1"
        ).fetchall()
        listed = records.execute(
            "SELECT name, start_time, end_time FROM task_run WHERE flow_run_id = ? AND start_time IS NOT NULL"
            " ORDER BY start_time",
            (flow,),
        ).fetchall()
    spans: dict[str, list[tuple[float, float]]] = {}
    for name, first, last in listed:
        spans.setdefault(name.rpartition("-")[0], []).append((moment(first), moment(last or over)))
    seconds = {name: covered(each) for name, each in spans.items()}
    inside = covered(span for each in spans.values() for span in each)
    return {
        "before the flow": moment(began) - started,
        **seconds,
        "between the tasks": moment(over) - moment(began) - inside,
        "after the flow": ended - moment(over),
    }


def moment(told: str) -> float:
    parsed = datetime.fromisoformat(told)
    return (parsed if parsed.tzinfo else parsed.astimezone()).timestamp()


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in which at least one of the spans runs."""
    total, end = 0.0, 0.0
    for first, last in sorted(spans):
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total


if __name__ == "__main__":
    sys.exit(main())
