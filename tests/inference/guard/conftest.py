"""The streaming guard on a tiny InternVL with random weights: not what it decides counts, but how."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoguard.config import FramesSection, InferenceSection, TinyModel
from videoguard.dataset.building import build_dataset
from videoguard.digests import digest_media
from videoguard.exercises.incidents import generate_incident_videos
from videoguard.frames.extraction import extract_shard
from videoguard.frames.index import index_frames
from videoguard.frames.store import FrameStore
from videoguard.inference.guard.guard import GuardSettings, StreamingGuard
from videoguard.inference.request import InferenceRequest
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.sample import media_sources
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.loading import load_model, load_processor
from videoguard.models.media import Pictures
from videoguard.models.preprocessing import Preprocessor, frame_rule_of
from videoguard.models.tiny.building import build_tiny
from videoguard.models.tiny.pretraining import tokenizer_corpus


@pytest.fixture(scope="session")
def streaming_base(tmp_path_factory) -> BaseModelFolder:
    """Of weights that name one category in some frames, several in others, and none in others still."""
    folder = tmp_path_factory.mktemp("streaming")
    build_tiny(TinyModel(), tokenizer_corpus(), 0, folder)
    return find_base(str(folder))


@pytest.fixture(scope="session")
def streaming_model(streaming_base):
    return load_model(streaming_base, "float32")


@pytest.fixture(scope="session")
def streaming_preprocessor(streaming_base) -> Preprocessor:
    base = streaming_base
    return Preprocessor(load_processor(base), base.family)


@pytest.fixture
def guard(streaming_model, streaming_preprocessor) -> Callable[..., StreamingGuard]:
    """Gives a guard with some of its settings changed."""

    def build(**settings: object) -> StreamingGuard:
        short = {"summary_tokens": 8, "response_tokens": 16}
        return StreamingGuard(
            streaming_model,
            streaming_preprocessor,
            GuardSettings(**(short | settings)),  # type: ignore[arg-type]
        )

    return build


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Forty frames of noise: `(40, 1, 64, 64, 3)`."""
    return np.random.default_rng(0).integers(0, 256, (40, 1, 64, 64, 3), dtype=np.uint8)


@dataclass(frozen=True)
class IncidentSet:
    """A few made videos with signs, on their way to the guard."""

    manifest: Path
    frames: Path
    shards: tuple[Path, ...]
    dataset: Path
    rule: FramesSection

    @property
    def store(self) -> FrameStore:
        """The frames, to read."""
        return FrameStore(self.frames, self.shards)


@pytest.fixture(scope="session")
def incident_set(tmp_path_factory) -> IncidentSet:
    folder = tmp_path_factory.mktemp("incidents")
    manifest = generate_incident_videos(folder / "set", videos=6, size=32, fps=2, seed=0, workers=1)
    samples = read_manifest(manifest).samples
    sources = media_sources(samples)
    digests = {clip: digest_media(source) for clip, source in sources.items()}
    media = {digests[clip]: source for clip, source in sources.items()}
    rule = FramesSection(sampling="fps", fps=1, count=8, max_side=64)
    shard, frames = folder / "shard", folder / "frames"
    for made in (shard, frames):
        made.mkdir()
    extract_shard(media, frame_rule_of(rule), shard, workers=1, timeout_s=60)
    index_frames(digests, [shard], frames)
    store = FrameStore(frames, [shard])
    build_dataset(
        samples,
        digests,
        times_of=lambda clip: store.timestamps(clip).tolist(),
        validation=0.0,
        test=0.4,
        seed=0,
        system_prompt="Be strict.",
        question=None,
        folder=folder / "dataset",
    )
    return IncidentSet(manifest, frames, (shard,), folder / "dataset", rule)


@pytest.fixture(scope="session")
def stream_request(incident_set, streaming_base) -> Callable[..., InferenceRequest]:
    """Builds a request for the decisions of the base on the test videos, written to the folder `output`."""

    def build(output: Path, **changes: object) -> InferenceRequest:
        fields: dict[str, Any] = {
            "base": str(streaming_base.folder),
            "base_name": "tiny",
            "revision": None,
            "dtype": "float32",
            "adapter": None,
            "dataset": incident_set.dataset,
            "frame_store": incident_set.frames,
            "frame_shards": incident_set.shards,
            "frames": incident_set.rule,
            "system_prompt": "Be strict.",
            "question": None,
            "inference": InferenceSection(max_new_tokens=12),
            "row_store": output / "rows.db",
            "output": output,
        }
        return InferenceRequest(**(fields | changes))

    return build
