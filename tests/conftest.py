"""Fixtures that every test may use.

What is expensive (videos, a tiny base model, an adapter, a run of the whole flow) is made once a session.
"""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from videoguard.config import FramesSection, LoraSection, TinyModel, TrainingSection
from videoguard.digests import digest_media
from videoguard.manifests.sample import Sample, media_sources

if TYPE_CHECKING:
    from videoguard.frames.store import FrameStore

# One thread, as the training and inference processes have: the same bytes in every run.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# The same examples in every run, so that a red one can be repeated; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# What is imported stays: the collector need not look at it, now or later.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Over several processes (`pytest -n 2 --dist loadgroup`), tests that share what is expensive run in one of them."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of sample data beside the checkout; tests that need it are skipped by name where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no sample data at {folder.name}/ beside the checkout")
    return folder


@dataclass(frozen=True)
class SmallSet:
    """Forty-eight synthetic videos on their way to a model."""

    manifest: Path
    samples: list[Sample]
    rule: FramesSection
    frames: Path
    """Index of the stored frames."""
    shards: tuple[Path, ...]
    """Of the stored frames."""
    dataset: Path
    system_prompt: str

    @property
    def store(self) -> "FrameStore":
        """The frames, to read."""
        from videoguard.frames.store import FrameStore

        return FrameStore(self.frames, self.shards)


@pytest.fixture(scope="session")
def small_set(tmp_path_factory) -> SmallSet:
    """Two videos of each form of each exercise, decoded, and split."""
    from videoguard.dataset.building import build_dataset
    from videoguard.exercises.generate import generate_exercise_videos
    from videoguard.frames.extraction import assign_shards, extract_shard
    from videoguard.frames.index import index_frames
    from videoguard.frames.rule import FrameRule
    from videoguard.frames.store import FrameStore
    from videoguard.manifests.reading import read_manifest

    folder = tmp_path_factory.mktemp("small")
    manifest = generate_exercise_videos(
        folder / "videos", videos_per_form=2, answers="text", size=64, seconds=1.0, fps=12, seed=0, workers=2
    )
    samples = read_manifest(manifest).samples
    rule = FramesSection(count=4, max_side=64, shards=2)
    sources = media_sources(samples)
    digests = {video: digest_media(source) for video, source in sources.items()}
    media = {digests[video]: source for video, source in sources.items()}
    how = FrameRule(rule.count, rule.max_side, rule.codec, rule.jpeg_quality)
    parts = assign_shards(sorted(media), rule.shards)
    shards = tuple(folder / f"shard-{part}" for part in parts)
    for shard, part in zip(shards, parts.values(), strict=True):
        shard.mkdir()
        extract_shard({digest: media[digest] for digest in part}, how, shard, workers=2, timeout_s=rule.timeout_s)
    frames = folder / "frames"
    frames.mkdir()
    index_frames(digests, shards, frames)
    store = FrameStore(frames, shards)
    system_prompt = "You are a fitness coach."
    build_dataset(
        samples,
        {video: store.digest_of(video) for video in store.videos()},
        validation=0.15,
        test=0.25,
        seed=0,
        system_prompt=system_prompt,
        question=None,
        folder=folder / "dataset",
    )
    return SmallSet(manifest, samples, rule, frames, shards, folder / "dataset", system_prompt)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    """Folder of a tiny InternVL, pre-trained for so short that it writes words and knows nothing."""
    from videoguard.models.tiny.pretraining import MODEL, pretrain
    from videoguard.models.tiny.request import PretrainingRequest

    folder: Path = tmp_path_factory.mktemp("base")
    size = TinyModel(pretraining_steps=20, pretraining_videos_per_form=1)
    pretrain(
        PretrainingRequest(size=size, seed=0, workers=2, output=folder, checkpoints=folder / "checkpoints"),
        lambda event: None,
    )
    return folder / MODEL


@pytest.fixture(scope="session")
def tiny_family(tmp_path_factory) -> Callable[[str], Path]:
    """Gives the folder of a tiny model of a family, with random weights and one layer of each kind."""
    from videoguard.models.tiny.building import build_tiny
    from videoguard.models.tiny.pretraining import tokenizer_corpus

    corpus = tokenizer_corpus()
    built: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family == "gemma3n" and find_spec("timm") is None:
            pytest.skip("the vision tower of Gemma 3n needs the package timm")
        if family not in built:
            built[family] = tmp_path_factory.mktemp(family)
            build_tiny(TinyModel.model_validate({"family": family, "layers": 1}), corpus, 0, built[family])
        return built[family]

    return build


@pytest.fixture(scope="session")
def training_request(small_set, tiny_base) -> Callable[..., Any]:
    """Builds a request for a training of a few steps that writes to the folder `output`; settings may be changed."""
    from videoguard.training.request import TrainingRequest

    def build(output: Path, *, settings: dict[str, object] | None = None, **changes: object) -> TrainingRequest:
        training = {
            "epochs": 4,
            "batch_size": 10,
            "learning_rate": 4e-3,
            "evaluations": 3,
            "lora": LoraSection(r=8, alpha=16),
            **(settings or {}),
        }
        fields: dict[str, Any] = {
            "base": str(tiny_base),
            "base_name": "tiny",
            "revision": None,
            "dtype": "float32",
            "dataset": small_set.dataset,
            "frame_store": small_set.frames,
            "frame_shards": small_set.shards,
            "frames": small_set.rule,
            "system_prompt": small_set.system_prompt,
            "question": None,
            "training": TrainingSection.model_validate(training),
            "seed": 0,
            "checkpoints": output / "checkpoints",
            "output": output,
        }
        return TrainingRequest(**(fields | changes))

    return build


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    folder: Path
    """With `adapter/`, `log.jsonl` and `curves.png`."""
    adapter: Path
    reply: Any
    events: list[dict[str, Any]]


@pytest.fixture(scope="session")
def trained(training_request, tmp_path_factory) -> Trained:
    """An adapter of the tiny base, trained for a few steps on the small set."""
    from videoguard.training.outcome import ADAPTER
    from videoguard.training.train import train

    folder: Path = tmp_path_factory.mktemp("training")
    events: list[dict[str, Any]] = []
    reply = train(training_request(folder), events.append)
    return Trained(folder, folder / ADAPTER, reply, events)
