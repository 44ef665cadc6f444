"""The workbook of 10,000 samples of two models, with 12 samples shown by their frames: time, memory and size of the file.

    python benchmarks/workbook.py
    python benchmarks/workbook.py --rows 1000 --open    also opens it with LibreOffice, where that is installed

The content is made up: 24 classes, answers of one sentence, eight frames of 640 by 480 for each shown sample. Time is from
the content to the whole file, of the workbook and of the page; memory is the peak of the process, the content included.
The goals: at most 120 s, 1.5 GiB and 15 MB for the workbook.
"""

import argparse
import io
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from openpyxl import load_workbook
from PIL import Image

from videoguard.config import ReportSection
from videoguard.evaluation.metrics.catalogue import known_metrics
from videoguard.evaluation.scores import ClassFigures, Classification, ConfusionCell, Evaluation, RowScores
from videoguard.evaluation.statistics import summarise
from videoguard.inference.rows import AnswerRow
from videoguard.report.content import ModelResult, ReportContent, StoredFrame
from videoguard.report.samples import pictured_videos
from videoguard.report.web_page import write_page
from videoguard.report.workbook import write_workbook

METRICS = ("bert_similarity", "meteor", "rouge_l", "exercise_accuracy", "json_validity")
CLASSES = [f"exercise {number}" for number in range(24)]
ADVICE = (
    "keep the back straight and the gaze forward",
    "lower the hips until head, hips and heels form one line",
    "well done",
)
MOST_SECONDS, MOST_MIB, MOST_MB = 120.0, 1536.0, 15.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--open", action="store_true", help="open the workbook with LibreOffice, which must not repair it")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        figures = measure(Path(folder), arguments.rows, opened=arguments.open)
    ratio = MOST_SECONDS / figures["workbook_s"]
    if arguments.json:
        print(json.dumps(figures | {"ratio": ratio}))
    else:
        for name, value in figures.items():
            print(f"{name:<20} {value:>12,.1f}")
        print(f"workbook ratio {ratio:.2f} goal 1.00")
    met = ratio >= 1 and figures["peak_mib"] <= MOST_MIB and figures["workbook_mb"] <= MOST_MB
    return 0 if met and figures.get("opened_rows", arguments.rows) == arguments.rows else 1


def measure(folder: Path, rows: int, *, opened: bool) -> dict[str, float]:
    content = made_up(rows)
    workbook, page = folder / "report.xlsx", folder / "report.html"
    started = time.perf_counter()
    write_workbook(content, workbook)
    written = time.perf_counter()
    write_page(content, page)
    figures = {
        "rows": float(rows),
        "pictured": float(len(content.frames)),
        "workbook_s": written - started,
        "page_s": time.perf_counter() - written,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "workbook_mb": workbook.stat().st_size / 1e6,
        "page_mb": page.stat().st_size / 1e6,
    }
    if opened:
        figures |= open_with_libreoffice(workbook, folder)
    return figures


def made_up(rows: int) -> ReportContent:
    """The report of a base that guesses and of a tuned model that is right nine times in ten."""
    section = ReportSection()
    models = [made_up_model("base", rows, right=0.1, seed=1), made_up_model("tuned", rows, right=0.9, seed=2)]
    content = ReportContent(
        title="Benchmark",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        models=models,
        bands=section.bands,
        samples=section.samples,
    )
    frames = {video: [frame(seed) for seed in range(8)] for video in pictured_videos(content)}
    return content.model_copy(update={"frames": frames})


def made_up_model(name: str, count: int, *, right: float, seed: int) -> ModelResult:
    chance, wanted_by = random.Random(seed), random.Random(0)
    rows, scores, named = [], [], Counter()
    for place in range(count):
        label = wanted_by.choice(CLASSES)
        said = label if chance.random() < right else chance.choice(CLASSES)
        named[label, said] += 1
        rows.append(
            AnswerRow(
                id=f"sample_{place:05d}",
                video=f"clips/{place:05d}.mp4",
                group=str(place),
                label=label,
                question="Which exercise is this and how is the form?",
                reference=f"{label} - {wanted_by.choice(ADVICE)}",
                status="ok",
                answer=f"{said} - {chance.choice(ADVICE)}",
                mean_token_logprob=-chance.random(),
                new_tokens=20,
            )
        )
        given = {metric: chance.random() for metric in METRICS} | {
            "exercise_accuracy": float(said == label),
            "json_validity": None,
        }
        scores.append(
            RowScores(id=rows[-1].id, scores=given, reasons={"json_validity": "no JSON was wanted"}, identified=said)
        )
    groups = [row.group for row in rows]
    summary = {metric: summarise([each.scores[metric] for each in scores], groups, 0) for metric in METRICS}
    facts = {metric: known_metrics()[metric].facts for metric in METRICS}
    found = {"exercise_accuracy": classification(named, count)}
    return ModelResult(
        name=name, rows=rows, evaluation=Evaluation(rows=scores, summary=summary, metrics=facts, classifications=found)
    )


def classification(named: Counter[tuple[str, str]], count: int) -> Classification:
    right = {label: named[label, label] for label in CLASSES}
    wanted = {label: sum(named[label, said] for said in CLASSES) for label in CLASSES}
    classes = [
        ClassFigures(
            label=label,
            wanted=wanted[label],
            named=1,
            right=right[label],
            accuracy=right[label] / wanted[label],
            precision=None,
            f1=0,
        )
        for label in CLASSES
        if wanted[label]
    ]
    cells = [ConfusionCell(wanted=pair[0], answered=pair[1], count=samples) for pair, samples in named.items()]
    return Classification(n=count, unscored=0, classes=classes, confusion=cells)


def frame(seed: int) -> StoredFrame:
    """A picture that does not pack well: noise in blocks of 8 pixels, as a busy video has it."""
    noise = random.Random(seed).randbytes(80 * 60 * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (80, 60), noise).resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return StoredFrame(image=file.getvalue(), time_s=seed / 4)


def open_with_libreoffice(workbook: Path, folder: Path) -> dict[str, float]:
    """Rows of Results after LibreOffice has read and written the workbook; zero where it could not."""
    program = shutil.which("soffice")
    if program is None:
        sys.exit("--open: there is no soffice on the PATH; install LibreOffice Calc")
    profile = f"-env:UserInstallation=file://{folder}/profile"
    again = folder / "again"
    command = [program, "--headless", profile, "--convert-to", "xlsx", "--outdir", str(again), str(workbook)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    sheet = load_workbook(again / workbook.name, read_only=True)["Results"]
    return {"opened_rows": float(sum(1 for _ in sheet.iter_rows(min_row=2, max_col=1)))}


if __name__ == "__main__":
    sys.exit(main())
