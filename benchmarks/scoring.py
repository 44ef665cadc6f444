"""Predictions to a finished workbook: `video-guard score` against a loop that scores row by row.

    python benchmarks/scoring.py                     1,000 and 10,000 rows, several minutes on two cores
    python benchmarks/scoring.py --rows 1000 --loop-rows 100

Ours is the command, from its start to its end, with the default metrics and 12 samples whose frames are shown. The loop
does what scripts do: `compute` of METEOR and of ROUGE, and the encoder of sentence-transformers, for one row at a time. The
scripts of `evaluate` are downloaded, so this file has metrics that compute what they compute, the same way: their features
and Arrow files, NLTK's METEOR over WordNet, four kinds of ROUGE with the bootstrap over the rows of a call. The loop writes
no workbook. It is measured on `--loop-rows` rows and extrapolated; its libraries and models are loaded before its clock
starts.

The goals: 10 times faster at 1,000 rows, 20 times at 10,000, and these in at most 120 s, 1.5 GiB and 15 MB of workbook.

Wanted answers repeat, 60 of them, as feedbacks do in data sets; answers are right, in other words or wrong, and nearly all
of them distinct texts.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

GOALS = {1_000: 10.0, 10_000: 20.0}
MOST_SECONDS, MOST_GIB, MOST_MB = 120.0, 1.5, 15.0
STATE = Path(__file__).resolve().parents[1] / ".video-guard"
PROGRAM = Path(sys.executable).with_name("video-guard")

EXERCISES = (
    *("squat", "push-up", "plank", "lunge", "glute bridge"),
    *("side bend", "bicep curl", "jumping jacks", "sit-up", "row"),
)
ADVICE = (
    "keep the hips level with the shoulders by contracting the glutes",
    "the knees collapse inwards; press them outward in line with the feet",
    "great depth and control throughout the movement",
    "descend more slowly and exhale while rising",
    "the elbows flare out too wide, keep them close to the body",
    "the back is rounded; lift the chest and brace the core before each repetition",
)
FILLERS = (
    *("please", "now", "try", "to", "and", "then", "a", "bit", "more", "today", "again", "slowly", "well", "with", "each"),
    *("set", "for", "the", "next", "time", "as", "before"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="Sizes of the files; 1,000 and 10,000 if absent.")
    parser.add_argument("--loop-rows", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    sizes = arguments.rows or list(GOALS)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        work = Path(folder)
        videos = make_videos(work)
        ours = {size: score(work, predictions(size, videos)) for size in sizes}
        per_row = time_loop(predictions(arguments.loop_rows, videos))
    good = True
    figures = []
    for size, (seconds, gib, mb) in ours.items():
        ratio, goal = per_row * size / seconds, GOALS.get(size, 0.0)
        fits = size < 10_000 or (seconds <= MOST_SECONDS and gib <= MOST_GIB and mb <= MOST_MB)
        good = good and ratio >= goal and fits
        figures.append({"rows": size, "seconds": seconds, "peak_gib": gib, "workbook_mb": mb, "ratio": ratio, "goal": goal})
    if arguments.json:
        print(json.dumps({"loop_seconds_per_row": per_row, "loop_rows": arguments.loop_rows, "runs": figures}))
        return 0 if good else 1
    print(f"loop, row by row: {per_row * 1000:.0f} ms a row, measured on {arguments.loop_rows:,} rows and extrapolated")
    for run in figures:
        print(
            f"{run['rows']:>7,} rows: {run['seconds']:6.1f} s, peak {run['peak_gib']:.2f} GiB, "
            f"workbook {run['workbook_mb']:.1f} MB, loop {per_row * run['rows']:,.0f} s"
        )
    for run in figures:
        print(f"scoring {run['rows']} ratio {run['ratio']:.1f} goal {run['goal']:.1f}")
    return 0 if good else 1


def make_videos(work: Path) -> list[str]:
    """A few real clips, for the frames of the samples that are shown."""
    from videoguard.exercises.generate import generate_exercise_videos

    generate_exercise_videos(
        work / "clips", videos_per_form=1, answers="text", size=128, seconds=1.0, fps=25, seed=0, workers=2
    )
    return sorted(path.relative_to(work).as_posix() for path in (work / "clips").rglob("*.mp4"))


def predictions(rows: int, videos: list[str]) -> list[dict[str, str]]:
    draw = random.Random(0)
    made = []
    for number in range(rows):
        exercise, advice = draw.choice(EXERCISES), draw.choice(ADVICE)
        answered = exercise if draw.random() < 0.85 else draw.choice(EXERCISES)
        words = (advice if draw.random() < 0.6 else draw.choice(ADVICE)).split()
        for _ in range(draw.choice((0, 1, 2, 3, 4))):
            words.insert(draw.randrange(len(words)), draw.choice(FILLERS))
        made.append(
            {
                "id": f"sample {number}",
                "video_path": videos[number % len(videos)],
                "question": "Which exercise is it, and how well is it done?",
                "ground_truth": f"{exercise} - {advice}",
                "prediction": f"{answered} - {' '.join(words)}",
            }
        )
    return made


def score(work: Path, rows: list[dict[str, str]]) -> tuple[float, float, float]:
    """Seconds, peak memory of all its processes in GiB, and size of the workbook in MB, of the command."""
    file, out = work / f"{len(rows)}.json", work / f"{len(rows)}.xlsx"
    file.write_text(json.dumps(rows), encoding="utf-8")
    began = time.perf_counter()
    command = [PROGRAM, "score", file, "--out", out, "--state", STATE, "--set", "report.html=false"]
    running = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = [0]
    watcher = threading.Thread(target=watch, args=(running, peak), daemon=True)
    watcher.start()
    _, errors = running.communicate()
    seconds = time.perf_counter() - began
    watcher.join()
    if running.returncode != 0:
        raise SystemExit(f"video-guard score ended with {running.returncode}: {errors}")
    return seconds, peak[0] / 2**30, out.stat().st_size / 1e6


def watch(running: "subprocess.Popen[str]", peak: list[int]) -> None:
    while running.poll() is None:
        peak[0] = max(peak[0], sum(resident(process) for process in family(running.pid)))
        time.sleep(0.1)


def family(parent: int) -> list[int]:
    found = [parent]
    for process in found:
        try:
            found += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        except OSError:
            continue
    return found


def resident(process: int) -> int:
    """Bytes in memory that are its own, and its share of those that it shares."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def time_loop(rows: list[dict[str, str]]) -> float:
    """Seconds a row of a loop that calls each metric and the encoder for one row at a time."""
    import numpy as np
    from sentence_transformers import SentenceTransformer

    from videoguard.evaluation.sentence_model import DEFAULT_MODEL, locate_sentence_model

    encoder = SentenceTransformer(str(locate_sentence_model(DEFAULT_MODEL).folder))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as cache:
        metrics = downloaded_metrics(cache)

        def score_row(row: dict[str, str]) -> None:
            for metric in metrics:
                metric.compute(predictions=[row["prediction"]], references=[row["ground_truth"]])
            answered = encoder.encode(row["prediction"], show_progress_bar=False)
            wanted = encoder.encode(row["ground_truth"], show_progress_bar=False)
            float(np.dot(answered, wanted) / (np.linalg.norm(answered) * np.linalg.norm(wanted)))

        score_row(rows[0])
        began = time.perf_counter()
        for row in rows:
            score_row(row)
        return (time.perf_counter() - began) / len(rows)


def downloaded_metrics(cache: str) -> "list[Any]":
    """METEOR and ROUGE that compute what those of `evaluate.load` compute, in the same way."""
    import datasets
    import evaluate
    import numpy as np
    from nltk.tokenize import NLTKWordTokenizer
    from nltk.tokenize.punkt import PunktSentenceTokenizer
    from nltk.translate.meteor_score import single_meteor_score
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.scoring import BootstrapAggregator

    from videoguard.evaluation.wordnet import open_wordnet, provide_wordnet

    wordnet = open_wordnet(provide_wordnet(STATE, install=False))
    sentences, words = PunktSentenceTokenizer(), NLTKWordTokenizer()
    kinds = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    text = datasets.Value("string")
    declared = evaluate.MetricInfo(
        description="", citation="", features=datasets.Features({"predictions": text, "references": text})
    )

    def split(given: str) -> list[str]:
        return [word for sentence in sentences.tokenize(given) for word in words.tokenize(sentence)]

    class DownloadedMeteor(evaluate.Metric):  # type: ignore[misc]  # the library has no types
        def _info(self) -> evaluate.MetricInfo:
            return declared

        def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
            scores = [
                single_meteor_score(split(reference), split(prediction), wordnet=wordnet)
                for reference, prediction in zip(references, predictions, strict=True)
            ]
            return {"meteor": float(np.mean(scores))}

    class DownloadedRouge(evaluate.Metric):  # type: ignore[misc]
        def _info(self) -> evaluate.MetricInfo:
            return declared

        def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
            scorer, aggregator = RougeScorer(kinds), BootstrapAggregator()
            for reference, prediction in zip(references, predictions, strict=True):
                aggregator.add_scores(scorer.score(reference, prediction))
            return {kind: found.mid.fmeasure for kind, found in aggregator.aggregate().items()}

    return [DownloadedMeteor(cache_dir=cache), DownloadedRouge(cache_dir=cache)]


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.exit(main())
