"""Answers a second of the engine, from stored frames, against a loop that takes one video after the other.

    python benchmarks/inference.py              about four minutes on two cores; needs opencv-python-headless
    python benchmarks/inference.py --clips 48 --rounds 1

The same tiny InternVL, clips, frames and greedy answers for all, in processes of their own. The loops decode a video,
prepare it and generate its answer with transformers, then take the next: one seeks each frame with OpenCV, as scripts
commonly do, one decodes with our decoder. Ours reads the frames that a training has stored. The goal is 8 times the answers
a second of the loop with OpenCV, with the same texts as the loop with our decoder, which sees the same pixels; peak memory,
with that of the processes that prepare prompts, within 1.5 times. The clock starts when libraries and model are loaded.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videoguard.config import FramesSection, TinyModel

if TYPE_CHECKING:
    from videoguard.models.media import Shown

GOAL, MEMORY_GOAL = 8.0, 1.5
RULE = FramesSection(count=8, max_side=96, codec="png", shards=1)
MAX_NEW_TOKENS, BATCH, WORKERS, SEED = 32, 64, 1, 0
SIZE, SECONDS, FPS = 320, 4.0, 25
PRETRAINING_STEPS = 60
OURS, OPENCV, PYAV = "engine, from stored frames", "one at a time, OpenCV seeks", "one at a time, our decoder"

Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--arm", choices=list(ARMS), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(ARMS[arguments.arm](arguments.work)))
        return 0
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        work = Path(folder)
        prepare(work, arguments.clips)
        runs = {name: best(name, work, arguments.rounds) for name in ARMS}
    ours, theirs, same_pixels = runs[OURS], runs[OPENCV], runs[PYAV]
    ratio, memory = ours["rate"] / theirs["rate"], ours["peak_mib"] / theirs["peak_mib"]
    same, alike = (sum(map(str.__eq__, ours["texts"], run["texts"])) for run in (same_pixels, theirs))
    of = len(ours["texts"])
    told = {name: {key: value for key, value in run.items() if key != "texts"} for name, run in runs.items()}
    if arguments.json:
        print(json.dumps({"runs": told, "ratio": ratio, "memory_ratio": memory, "same_texts": same, "of": of}))
    else:
        for name, run in runs.items():
            print(f"{name:<32} {run['rate']:8.1f} answers/s   peak {run['peak_mib']:6.0f} MiB   {run['tokens']} tokens")
        print(f"same texts as {PYAV}: {same} of {of}; as {OPENCV}, whose pixels differ in the last bit: {alike}")
        print(f"against {PYAV}: {ours['rate'] / same_pixels['rate']:.2f}")
        print(f"inference memory ratio {memory:.2f} goal {MEMORY_GOAL:.2f} at most")
        print(f"inference ratio {ratio:.2f} goal {GOAL:.2f}")
    return 0 if ratio >= GOAL and memory <= MEMORY_GOAL and same == of else 1


def prepare(work: Path, clips: int) -> None:
    """The clips, a tiny base that writes words, and the stored frames."""
    from videoguard.exercises.catalogue import CLASSES
    from videoguard.exercises.generate import generate_exercise_videos
    from videoguard.models.tiny.pretraining import pretrain
    from videoguard.models.tiny.request import PretrainingRequest

    per_form = max(1, round(clips / len(CLASSES)))
    generate_exercise_videos(
        work / "data", videos_per_form=per_form, answers="text", size=SIZE, seconds=SECONDS, fps=FPS, seed=SEED, workers=2
    )
    size = TinyModel(pretraining_steps=PRETRAINING_STEPS, pretraining_videos_per_form=1)
    folder = work / "pretraining"
    folder.mkdir()
    request = PretrainingRequest(size=size, seed=SEED, workers=2, output=folder, checkpoints=folder / "checkpoints")
    with redirect_stdout(sys.stderr):
        pretrain(request, lambda event: None)
    store_frames(work)
    frames = f"{SECONDS * FPS:.0f} frames of {SIZE} × {SIZE} pixels, of which {RULE.count} are seen"
    print(f"{per_form * len(CLASSES)} clips of {frames}", file=sys.stderr)


def store_frames(work: Path) -> None:
    from videoguard.frames.extraction import extract_shard
    from videoguard.frames.index import index_frames
    from videoguard.manifests.listing import make_listing
    from videoguard.manifests.sample import media_sources
    from videoguard.models.preprocessing import frame_rule_of

    listing = make_listing(samples_of(work), [], "conversations")
    sources = media_sources(listing.samples)
    media = {digest: sources[video] for video, digest in listing.media_digests.items() if digest}
    for name in ("shard", "index"):
        (work / name).mkdir()
    extract_shard(media, frame_rule_of(RULE), work / "shard", workers=2, timeout_s=60)
    index_frames(listing.media_digests, [work / "shard"], work / "index")


def samples_of(work: Path) -> list[Any]:
    from videoguard.manifests.reading import read_manifest

    return read_manifest(work / "data" / "manifest.json").samples


def best(name: str, work: Path, rounds: int) -> Result:
    """The fastest of some runs in processes of their own: other work on the machine only ever adds time."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    told: list[Result] = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--arm", name, "--work", str(work)]
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        told.append(json.loads(ended.stdout.splitlines()[-1]))
    fastest = min(told, key=lambda result: float(result["seconds"]))
    return {"rate": len(fastest["texts"]) / fastest["seconds"], **fastest}


@contextmanager
def measured(result: Result) -> Iterator[None]:
    """Wall time, and the most memory of this process and its children, looked at ten times a second."""
    peak, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, sum(map(own_mib, [os.getpid(), *children(os.getpid())])))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    yield
    result["seconds"] = time.perf_counter() - started
    ended.set()
    watcher.join()
    result["peak_mib"] = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def children(parent: int) -> list[int]:
    found: list[int] = []
    # A thread may end, and a process too, while they are looked at.
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
    return [*found, *(below for child in found for below in children(child))]


def own_mib(process: int) -> float:
    """Resident memory, what several processes share counted once among them."""
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def engine(work: Path) -> Result:
    from videoguard.frames.store import FrameStore
    from videoguard.inference.answering import Answerer
    from videoguard.inference.engine import Engine
    from videoguard.inference.generation import GenerationSettings
    from videoguard.prediction.models import find_models
    from videoguard.prediction.questions import ask

    model, preprocessor = load(work)
    samples = samples_of(work)
    (asked,) = find_models([str(base_of(work))], "sqlite://", frames=RULE.count, dtype="float32")
    questions = ask(samples, asked.record, None)
    result: Result = {}
    with measured(result):
        frames = FrameStore(work / "index", [work / "shard"])
        answerer = Answerer(Engine(model, preprocessor, BATCH), frames, GenerationSettings(MAX_NEW_TOKENS), WORKERS)
        rows = {number: row for group in answerer.answer(questions) for number, row in group.items()}
    texts = [rows[number].answer for number in range(len(samples))]
    return {**result, "texts": texts, "tokens": sum(row.new_tokens or 0 for row in rows.values())}


def one_at_a_time(work: Path, decode: "Callable[[Path], Shown]") -> Result:
    from videoguard.dataset.messages import conversation

    model, preprocessor = load(work)
    texts: list[str] = []
    tokens = 0
    result: Result = {}
    samples = samples_of(work)
    with measured(result):
        for sample in samples:
            prompt = preprocessor.prompt(conversation(sample.question), decode(sample.path))
            batch = preprocessor.collate([prompt], side="left")
            made = model.generate(**batch, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, eos_token_id=preprocessor.ends)[
                0, batch["input_ids"].shape[1] :
            ]
            texts.append(preprocessor.decode(made))
            tokens += len(made)
    return {**result, "texts": texts, "tokens": tokens}


def base_of(work: Path) -> Path:
    return work / "pretraining" / "model"


def load(work: Path) -> tuple[Any, Any]:
    from videoguard.models.base import find_base
    from videoguard.models.loading import load_model, load_processor
    from videoguard.models.preprocessing import Preprocessor

    base = find_base(str(base_of(work)))
    return load_model(base, "float32"), Preprocessor(load_processor(base), base.family)


def decode_ours(path: Path) -> "Shown":
    from videoguard.frames.decoding import decode_video
    from videoguard.models.media import TimedFrames
    from videoguard.models.preprocessing import frame_rule_of

    video = decode_video(path, frame_rule_of(RULE))
    return TimedFrames(video.frames, video.timestamps_s)


def decode_opencv(path: Path) -> "Shown":
    import cv2
    import numpy as np

    video = cv2.VideoCapture(str(path))
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    frames = []
    for number in range(RULE.count):
        # The middles of equal spans, as our rule has them.
        video.set(cv2.CAP_PROP_POS_FRAMES, int((number + 0.5) * total / RULE.count))
        _, frame = video.read()
        picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        frames.append(cv2.resize(picture, (RULE.max_side, RULE.max_side), interpolation=cv2.INTER_AREA))
    video.release()
    return np.stack(frames)


ARMS: dict[str, Callable[[Path], Result]] = {
    OURS: engine,
    OPENCV: lambda work: one_at_a_time(work, decode_opencv),
    PYAV: lambda work: one_at_a_time(work, decode_ours),
}

if __name__ == "__main__":
    sys.exit(main())
