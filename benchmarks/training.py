"""Samples a second of a LoRA training over three epochs, media included: ours against TRL's SFTTrainer.

    python benchmarks/training.py               about ten minutes on two cores; needs `pip install trl`
    python benchmarks/training.py --clips 60 --rounds 1
    python benchmarks/training.py --seconds 5   shorter clips: less of the time is decoding, which is what we do once

The same tiny InternVL, clips, frames, batch, optimizer and adapter for both, in processes of their own. Ours decodes each
clip once, stores its frames and trains on them. TRL's trainer has its own vision collator and a data set that decodes, by
the same decoder, when a sample is asked for; it runs without workers and with two, and the faster one counts. The goal is 2
times its samples a second from the video files, and 1 time where both read stored frames. Peak memory, with that of the
processes that decode, stands beside it. The clock starts when libraries and model are loaded.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videoguard.config import FramesSection, LoraSection, TinyModel, TrainingSection

GOAL_FROM_VIDEO, GOAL_FROM_FRAMES = 2.0, 1.0
EPOCHS, BATCH, LEARNING_RATE, SEED = 3, 8, 1e-3, 0
RULE = FramesSection(max_side=480, shards=2)
LORA = LoraSection(r=16, alpha=32)
# A data set must hold some clips out: ours decodes them too, and neither trains on them.
HELD_OUT = 0.02
SIZE, FPS = 480, 25
# As long as a clip of Kinetics.
SECONDS = 10.0
QUESTION = "Which exercise is it, and how well is it done?"


@dataclass(frozen=True)
class Run:
    """One training: samples a second, and the most memory that it took."""

    name: str
    rate: float
    peak_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of a clip (default: %(default)g)")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--arm", choices=list(ARMS), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help="folder that keeps the clips, for runs on the same ones")
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(ARMS[arguments.arm](arguments.work)))
        return 0
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        work = (arguments.work or Path(folder)) / f"{arguments.clips}-clips-of-{arguments.seconds:g}-s"
        work.mkdir(parents=True, exist_ok=True)
        samples = prepare(work, arguments.clips, arguments.seconds)
        runs = {name: best(name, work, samples, arguments.rounds) for name in ARMS}
    ours, frames = runs["ours, from the video files"], runs["ours, from stored frames"]
    theirs = max((runs[name] for name in THEIRS_FROM_VIDEO), key=lambda run: run.rate)
    theirs_frames = max((runs[name] for name in THEIRS_FROM_FRAMES), key=lambda run: run.rate)
    from_video, from_frames = ours.rate / theirs.rate, frames.rate / theirs_frames.rate
    if arguments.json:
        told = [vars(run) for run in runs.values()]
        print(json.dumps({"runs": told, "ratio": from_video, "ratio_stored_frames": from_frames}))
    else:
        for run in runs.values():
            print(f"{run.name:<48} {run.rate:8.1f} samples/s   peak {run.peak_mib:7.0f} MiB")
        print(f"stored frames ratio {from_frames:.2f} goal {GOAL_FROM_FRAMES:.2f}")
        print(f"training ratio {from_video:.2f} goal {GOAL_FROM_VIDEO:.2f}")
    return 0 if from_video >= GOAL_FROM_VIDEO and from_frames >= GOAL_FROM_FRAMES else 1


def prepare(work: Path, clips: int, seconds: float) -> int:
    """The clips, the tiny base and, for the arms that read stored frames, those; the number of samples to train on."""
    from videoguard.dataset.building import read_split
    from videoguard.exercises.catalogue import CLASSES
    from videoguard.exercises.generate import generate_exercise_videos
    from videoguard.models.tiny.building import build_tiny
    from videoguard.models.tiny.pretraining import tokenizer_corpus

    per_form = max(1, round(clips / len(CLASSES)))
    if not (work / "dataset").exists():
        generate_exercise_videos(
            work / "data",
            videos_per_form=per_form,
            answers="text",
            size=SIZE,
            seconds=seconds,
            fps=FPS,
            seed=SEED,
            workers=2,
        )
        build_tiny(TinyModel(), tokenizer_corpus(), SEED, work / "base")
        store_frames(work)
    samples = len(read_split(work / "dataset", "train"))
    frames = f"{seconds * FPS:.0f} frames of {SIZE} × {SIZE} pixels, of which {RULE.count} are seen"
    print(f"{per_form * len(CLASSES)} clips of {frames}; {samples} to train on", file=sys.stderr)
    return samples


def best(name: str, work: Path, samples: int, rounds: int) -> Run:
    """The fastest of some runs in processes of their own: other work on the machine only ever adds time."""
    # A second thread costs so small a model more than it gives, and fights with the workers for the core.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, __file__, "--arm", name, "--work", str(work)]
    told = []
    for _ in range(rounds):
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        told.append(json.loads(ended.stdout.splitlines()[-1]))
    fastest = min(told, key=lambda result: result["seconds"])
    return Run(name, EPOCHS * samples / fastest["seconds"], fastest["peak_mib"])


@contextmanager
def measured(result: dict[str, float]) -> Iterator[None]:
    """Wall time, and the most resident memory of this process and its children, looked at every tenth of a second."""
    peak, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, sum(map(resident_mib, [os.getpid(), *children(os.getpid())])))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    yield
    result["seconds"] = time.perf_counter() - started
    ended.set()
    watcher.join()
    result["peak_mib"] = max(peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def children(parent: int) -> list[int]:
    found: list[int] = []
    # A thread may end, and a process too, while they are looked at.
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{parent}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (task / "children").read_text().split())
    return [*found, *(below for child in found for below in children(child))]


def resident_mib(process: int) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


def ours_from_video(work: Path) -> dict[str, float]:
    import videoguard.training.train  # noqa: F401  # loaded before the clock starts

    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        with measured(result):
            stored = store_frames(Path(folder), work / "data")
        trained = train_ours(work, stored, Path(folder))
    return {"seconds": result["seconds"] + trained["seconds"], "peak_mib": max(result["peak_mib"], trained["peak_mib"])}


def ours_from_frames(work: Path) -> dict[str, float]:
    import videoguard.training.train  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        return train_ours(work, work, Path(folder))


def store_frames(folder: Path, data: Path | None = None) -> Path:
    """Decode and store the frames of every clip, and write the data set."""
    from videoguard.dataset.building import build_dataset
    from videoguard.frames.extraction import extract_shard
    from videoguard.frames.index import index_frames
    from videoguard.frames.rule import FrameRule
    from videoguard.frames.store import FrameStore
    from videoguard.manifests.listing import make_listing
    from videoguard.manifests.reading import read_manifest
    from videoguard.manifests.sample import media_sources

    listing = make_listing(read_manifest((data or folder / "data") / "manifest.json").samples, [], "conversations")
    sources = media_sources(listing.samples)
    media = {digest: sources[video] for video, digest in listing.media_digests.items() if digest}
    rule = FrameRule(count=RULE.count, max_side=RULE.max_side, codec=RULE.codec, jpeg_quality=RULE.jpeg_quality)
    for name in ("shard", "index", "dataset"):
        (folder / name).mkdir()
    extract_shard(media, rule, folder / "shard", workers=2, timeout_s=60)
    index_frames(listing.media_digests, [folder / "shard"], folder / "index")
    store = FrameStore(folder / "index", [folder / "shard"])
    build_dataset(
        listing.samples,
        {video: store.digest_of(video) for video in store.videos()},
        validation=0.0,
        test=HELD_OUT,
        seed=SEED,
        system_prompt=None,
        question=QUESTION,
        folder=folder / "dataset",
    )
    return folder


def train_ours(work: Path, stored: Path, folder: Path) -> dict[str, float]:
    from videoguard.training.request import TrainingRequest
    from videoguard.training.train import train

    request = TrainingRequest(
        base=str(work / "base"),
        base_name="tiny",
        revision=None,
        dtype="float32",
        dataset=stored / "dataset",
        frame_store=stored / "index",
        frame_shards=(stored / "shard",),
        frames=RULE,
        system_prompt=None,
        question=QUESTION,
        training=TrainingSection(
            epochs=EPOCHS, batch_size=BATCH, learning_rate=LEARNING_RATE, evaluations=1, threads=1, lora=LORA
        ),
        seed=SEED,
        checkpoints=folder / "checkpoints",
        output=folder / "output",
    )
    result: dict[str, float] = {}
    with measured(result):
        reply = train(request, lambda event: None)
    # Without the loading of the model.
    return {**result, "seconds": reply.seconds}


def theirs(work: Path, look: Callable[[dict[str, Any]], list[Any]], workers: int, *, stored: bool) -> dict[str, float]:
    """TRL's trainer on a data set whose images come when a sample is asked for."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForImageTextToText, AutoProcessor, InternVLProcessor
    from trl import SFTConfig, SFTTrainer

    from videoguard.dataset.building import read_split
    from videoguard.frames.store import FrameStore
    from videoguard.manifests.reading import read_manifest

    # Else each frame of a clip would become five tiles, for them alone.
    InternVLProcessor.images_kwargs["crop_to_patches"] = False
    model = AutoModelForImageTextToText.from_pretrained(work / "base")
    processor = AutoProcessor.from_pretrained(work / "base")
    trained = set(read_split(work / "dataset", "train")["video"])
    samples = [sample for sample in read_manifest(work / "data" / "manifest.json").samples if sample.video in trained]
    store = FrameStore(work / "index", [work / "shard"])
    source = [store.encoded(sample.video) if stored else str(sample.path) for sample in samples]
    data = Dataset.from_dict({"source": source, "answer": [sample.answer for sample in samples]})

    def shown(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            "images": [look(source) for source in batch["source"]],
            "prompt": [[{"role": "user", "content": QUESTION}] for _ in batch["source"]],
            "completion": [[{"role": "assistant", "content": answer}] for answer in batch["answer"]],
        }

    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            model=model,
            args=SFTConfig(
                output_dir=folder,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=BATCH,
                learning_rate=LEARNING_RATE,
                lr_scheduler_type="cosine",
                max_length=None,
                gradient_checkpointing=False,
                bf16=False,
                use_cpu=True,
                dataloader_num_workers=workers,
                dataloader_persistent_workers=workers > 0,
                dataset_kwargs={"skip_prepare_dataset": True},
                remove_unused_columns=False,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                seed=SEED,
            ),
            train_dataset=data.with_transform(shown),
            processing_class=processor,
            peft_config=LoraConfig(
                r=LORA.r,
                lora_alpha=LORA.alpha,
                target_modules=list(LORA.targets),
                exclude_modules=r".*(vision_tower|multi_modal_projector).*",
                task_type="CAUSAL_LM",
            ),
        )
        with measured(result):
            trainer.train()
    return result


def decode(path: str) -> list[Any]:
    """Frames of a clip as pictures, by the decoder that our arm has too."""
    from PIL import Image

    from videoguard.frames.decoding import decode_video
    from videoguard.frames.rule import FrameRule

    video = decode_video(Path(path), FrameRule(count=RULE.count, max_side=RULE.max_side, codec="jpeg", jpeg_quality=95))
    return [Image.fromarray(frame) for frame in video.frames]


def open_stored(frames: list[bytes]) -> list[Any]:
    import io

    from PIL import Image

    return [Image.open(io.BytesIO(frame)).convert("RGB") for frame in frames]


def trl_from_video(work: Path) -> dict[str, float]:
    return theirs(work, decode, 0, stored=False)


def trl_from_video_workers(work: Path) -> dict[str, float]:
    return theirs(work, decode, 2, stored=False)


def trl_from_frames(work: Path) -> dict[str, float]:
    return theirs(work, open_stored, 0, stored=True)


def trl_from_frames_workers(work: Path) -> dict[str, float]:
    return theirs(work, open_stored, 2, stored=True)


THEIRS_FROM_VIDEO = ("TRL, from the video files", "TRL, from the video files, two workers")
THEIRS_FROM_FRAMES = ("TRL, from stored frames", "TRL, from stored frames, two workers")
ARMS: dict[str, Callable[[Path], dict[str, float]]] = {
    "ours, from the video files": ours_from_video,
    THEIRS_FROM_VIDEO[0]: trl_from_video,
    THEIRS_FROM_VIDEO[1]: trl_from_video_workers,
    "ours, from stored frames": ours_from_frames,
    THEIRS_FROM_FRAMES[0]: trl_from_frames,
    THEIRS_FROM_FRAMES[1]: trl_from_frames_workers,
}

if __name__ == "__main__":
    sys.exit(main())
