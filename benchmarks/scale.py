"""What grows with clips, rows, models and stored results: a figure each, at a few sizes, and computed for 10 million clips.

    python benchmarks/scale.py                       all parts, about ten minutes on two cores
    python benchmarks/scale.py --part listing --sizes 1000 10000
    python benchmarks/scale.py --part scores --part models

Everything is made up: one question a clip, answers of one sentence, tiny videos (96 px, 2 s) that decode in a few
milliseconds, so that what is printed of decoding is the least that it costs. Each part and size is measured in a process of
its own; memory is the peak above that of the started process. The last column is what each more costs between the two
largest sizes, times how many there are, under the assumption that stands above the table: computed, not measured.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import struct
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from workbook import made_up

from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import ArtifactStore
from videoguard.digests import digest_file, digest_json
from videoguard.evaluation.comparing import ComparedModel, compare_models
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.exercises.generate import generate_exercise_videos
from videoguard.frames.earlier import EarlierFrames
from videoguard.frames.extraction import extract_shard
from videoguard.frames.index import index_frames
from videoguard.frames.rule import FrameRule
from videoguard.frames.store import FrameStore
from videoguard.inference.row_store import ROW_STORE, RowStore
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.listing import Listing, read_listing, write_listing
from videoguard.manifests.sample import Sample
from videoguard.report.workbook import write_workbook

CLIPS = 10_000_000
CLIPS_A_SHARD = 2_000
SHARDS = CLIPS // CLIPS_A_SHARD
TEST_SHARE = 0.1
ROWS = round(CLIPS * TEST_SHARE)
WORKERS = 2
QUESTION = "Which exercise is this and how is the form?"
ANSWER = "push-up - lower the hips until head, hips and heels form one line"
ADDED_AT_ONCE = 64
"""Rows that inference stores in one transaction, about."""
METRICS = ("exercise_accuracy", "rouge_l", "json_validity")
"""Of those that need no model: what others cost is in benchmarks/scoring.py."""
ROWS_OF_MODELS = 10_000

Figures = dict[str, float]


@dataclass(frozen=True)
class Part:
    """One thing that grows."""

    measure: Callable[[int, Path], Figures]
    unit: str
    sizes: tuple[int, ...]
    many: int
    """How many of the unit 10 million clips are."""
    assumed: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=list(PARTS), action="append", help="all if absent")
    parser.add_argument("--sizes", type=int, nargs="+", help="instead of those of each part")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.part or PARTS:
        figures[name] = {}
        for size in sorted(arguments.sizes or PARTS[name].sizes):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                figures[name][size] = process.submit(measure, name, size).result()
        if not arguments.json:
            show(PARTS[name], figures[name])
    if arguments.json:
        print(json.dumps(figures))


def measure(part: str, size: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        return PARTS[part].measure(size, Path(folder))


def show(part: Part, figures: dict[int, Figures]) -> None:
    *_, largest = figures
    total = f"{'10 million clips':>20}" if part.many else ""
    print(f"\n{part.assumed}")
    print(f"{'by ' + part.unit:26}" + "".join(f"{size:>12,}" for size in figures) + total)
    for name in figures[largest]:
        cells = "".join(f"{found[name]:>12.3g}" for found in figures.values())
        more = _one_more({size: found[name] for size, found in figures.items()})
        print(f"{name:26}{cells}{_total(name, more * part.many) if part.many else '':>20}")


def _one_more(figures: dict[int, float]) -> float:
    """What one more costs: what is there at any size, such as a library that is loaded, is left out."""
    *rest, (most, each) = figures.items()
    if not rest:
        return each
    fewer, each_of_fewer = rest[-1]
    more = (most * each - fewer * each_of_fewer) / (most - fewer)
    # So little that chance decides.
    return more if more > 0 else each


def listing(clips: int, folder: Path) -> Figures:
    """The manifest as the steps read it."""
    names = [f"clips/{number:08d}.mp4" for number in range(clips)]
    samples = [Sample(id=clip, root=folder, question=QUESTION, answer=ANSWER, video=clip) for clip in names]
    digests: dict[str, str | None] = {clip: digest_json(clip) for clip in names}
    made = Listing(format="flat", samples=samples, media_digests=digests, problems=[])
    clock = Clock(clips)
    write_listing(made, folder)
    written = clock.each()
    size = sum(file.stat().st_size for file in folder.iterdir()) / clips
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        read = process.submit(_read_listing, folder, clips).result()
    return {"write ms": written, "bytes on disk": size, **read}


def _read_listing(folder: Path, clips: int) -> Figures:
    begun, clock = _peak(), Clock(clips)
    found = read_listing(folder, folder)
    seconds, peak = clock.each(), (_peak() - begun) / clips
    kept = (_resident() - begun) / clips
    assert len(found.samples) == clips
    return {"read ms": seconds, "memory peak bytes": peak, "memory kept bytes": kept}


def frames(clips: int, folder: Path) -> Figures:
    """A shard decoded, taken from an earlier one, indexed and looked up."""
    media = _make_clips(folder, clips)
    digests: dict[str, str | None] = {path.name: digest for digest, path in media.items()}
    rule = FrameRule(8, 96, "jpeg", 95)
    first, second, index = (folder / name for name in ("first", "second", "index"))
    for made in (first, second, index):
        made.mkdir()
    clock = Clock(clips)
    extract_shard(media, rule, first, workers=WORKERS, timeout_s=60)
    decoded = clock.each()
    clock = Clock(clips)
    held = EarlierFrames(media)
    held.add(first)
    assert extract_shard(media, rule, second, workers=WORKERS, timeout_s=60, earlier=held).taken == clips
    taken = clock.each()
    # What it imports at its first use is not the clips' cost.
    index_frames(digests, [first], index)
    clock = Clock(clips)
    index_frames(digests, [first], index)
    indexed = clock.each()
    clock = Clock(clips)
    store = FrameStore(index, [first])
    videos = store.videos()
    opened = clock.each()
    random.Random(0).shuffle(videos)
    clock = Clock(clips)
    for video in videos:
        store.frames(video)
    return {
        "decode ms": decoded,
        "take from earlier ms": taken,
        "stored bytes": sum(file.stat().st_size for file in first.iterdir()) / clips,
        "index ms": indexed,
        "index bytes": sum(file.stat().st_size for file in index.iterdir()) / clips,
        "open ms": opened,
        "look up at random ms": clock.each(),
    }


def artifacts(count: int, folder: Path) -> Figures:
    """What a second run does with each stored result: find it whole; and what a touched shard does: list the records."""
    store = ArtifactStore(folder)
    parent = _make_artifact(store, Provenance(step="manifest", code="c", settings={}, inputs={}))
    asked = [
        Provenance(step="frames", code="c", settings={"count": 8}, inputs={"media": str(number)}, parents=(parent,))
        for number in range(count)
    ]
    clock = Clock(count)
    for provenance in asked:
        _make_artifact(store, provenance)
    written = clock.each()
    clock = Clock(count)
    assert all(store.find(provenance) for provenance in asked)
    found = clock.each()
    clock = Clock(count)
    assert len(store.records("frames")) == count
    records = clock.each()
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.name != "file")
    return {"make ms": written, "find ms": found, "list records ms": records, "bytes of records": size / count}


def _make_artifact(store: ArtifactStore, provenance: Provenance) -> Artifact:
    with store.draft(provenance) as draft:
        (draft.folder / "file").write_bytes(b"frames")
    made = store.find(provenance)
    assert made is not None
    return made


def answers(rows: int, folder: Path) -> Figures:
    """The row store, which keeps every answer."""
    store = RowStore(folder / ROW_STORE)
    keys = [digest_json(["row", number]) for number in range(rows)]
    clock = Clock(rows)
    for start in range(0, rows, ADDED_AT_ONCE):
        store.add({key: _row(start + place) for place, key in enumerate(keys[start : start + ADDED_AT_ONCE])})
    added = clock.each()
    size = (folder / ROW_STORE).stat().st_size / rows
    clock = Clock(rows)
    assert len(store.find(keys)) == rows
    return {"add ms": added, "bytes on disk": size, "find ms": clock.each()}


def scores(rows: int, folder: Path) -> Figures:
    """Metrics, means and intervals of one model, and the workbook of two."""
    content = made_up(rows)
    asked = content.models[0].rows
    evaluate_rows(asked[:1], METRICS, sentence_model="", state=folder)
    begun, clock = _peak(), Clock(rows)
    evaluate_rows(asked, METRICS, sentence_model="", state=folder)
    scored, memory = clock.each(), (_peak() - begun) / rows
    begun, clock = _peak(), Clock(rows)
    write_workbook(content, folder / "report.xlsx")
    return {
        "score ms": scored,
        "score memory bytes": memory,
        "workbook ms": clock.each(),
        "workbook memory bytes": (_peak() - begun) / rows,
        "workbook bytes": (folder / "report.xlsx").stat().st_size / rows,
    }


def models(count: int, folder: Path) -> Figures:
    """Every model compared with every other one on the same rows."""
    found = made_up(ROWS_OF_MODELS).models[0]
    asked = [ComparedModel(f"model {number}", found.rows, found.evaluation) for number in range(count)]
    pairs = count * (count - 1) // 2
    begun, clock = _peak(), Clock(pairs)
    compare_models(asked)
    return {"pairs": pairs, "a pair ms": clock.each(), "a pair memory bytes": (_peak() - begun) / pairs}


PARTS = {
    part.measure.__name__: part
    for part in (
        Part(listing, "clip", (1_000, 10_000, 100_000), CLIPS, "listing: a row for each clip"),
        Part(frames, "clip", (200, 1_000, 4_000), CLIPS, f"frames: tiny clips of 96 px, {WORKERS} processes, one machine"),
        Part(
            artifacts,
            "artifact",
            (100, 1_000),
            SHARDS,
            f"artifacts: {CLIPS_A_SHARD:,} clips a shard, {SHARDS:,} shards",
        ),
        Part(answers, "row", (1_000, 10_000, 100_000), ROWS, f"answers: {TEST_SHARE:.0%} of the clips, one model"),
        Part(scores, "row", (1_000, 10_000), ROWS, f"scores: {TEST_SHARE:.0%} of the clips; the workbook has two models"),
        Part(models, "number of models", (2, 4, 8), 0, f"models: n (n - 1) / 2 pairs of {ROWS_OF_MODELS:,} rows"),
    )
}


class Clock:
    """Milliseconds a unit since it was made."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._started = time.perf_counter()

    def each(self) -> float:
        return (time.perf_counter() - self._started) * 1000 / self._units


def _make_clips(folder: Path, clips: int) -> dict[str, Path]:
    """Distinct files that decode alike: copies of a few real ones, each with its own unused box at the end."""
    made = generate_exercise_videos(
        folder / "made", videos_per_form=1, answers="text", size=96, seconds=2.0, fps=12, seed=0, workers=WORKERS
    )
    real = sorted((folder / "made").rglob("*.mp4"))
    assert made.is_file()
    (folder / "clips").mkdir()
    media = {}
    for number in range(clips):
        file = folder / "clips" / f"{number:08d}.mp4"
        shutil.copyfile(real[number % len(real)], file)
        with file.open("ab") as box:
            box.write(struct.pack(">I4sQ", 16, b"free", number))
        media[digest_file(file)] = file
    return media


def _row(number: int) -> AnswerRow:
    clip = f"clips/{number:08d}.mp4"
    return AnswerRow(
        id=clip,
        video=clip,
        group=clip,
        label="push-up",
        question=QUESTION,
        reference=ANSWER,
        status="ok",
        answer=ANSWER,
        mean_token_logprob=-0.125,
        predicted_label="push-up",
        label_probability=0.875,
        new_tokens=16,
        latency_s=0.25,
    )


def _peak() -> int:
    # Not `getrusage`: a process begins with the peak of the one that started it.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _total(name: str, figure: float) -> str:
    if name.endswith("ms"):
        seconds = figure / 1000
        if seconds < 60:
            return f"{seconds:,.1f} s"
        return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.0f} h"
    if "bytes" in name:
        return f"{figure / 1e9:,.1f} GB" if figure >= 1e8 else f"{figure / 1e6:,.1f} MB"
    return ""


if __name__ == "__main__":
    main()
