"""The data and the processor of a recipe, made ready as the run makes them, without decoding or training."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset

from videoguard.config import FramesSection, ModelSection, RunConfig
from videoguard.dataset.building import build_dataset, read_split
from videoguard.dataset.cleaning import clean_for
from videoguard.dataset.splits import SPLITS, Split
from videoguard.errors import UserError
from videoguard.exercises.generate import generate_exercise_videos
from videoguard.exercises.incidents import generate_incident_videos
from videoguard.frames.decoding import DecodeError
from videoguard.frames.probing import ClipShape, probe_clip
from videoguard.frames.rule import FrameRule, SourceLimits
from videoguard.manifests.listing import Listing, make_listing
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.sample import MediaSource
from videoguard.manifests.trainable import is_text_alone, keep_trainable
from videoguard.models.base import BaseModelFolder, family_of_folder
from videoguard.models.loading import load_processor
from videoguard.models.preprocessing import Preprocessor

_PROBED_AT_ONCE = 8
_SMALL_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]


@dataclass(frozen=True)
class Plan:
    """What a run starts from."""

    config: RunConfig
    listing: Listing
    shapes: Mapping[str, ClipShape]
    """Stored frames of each clip that can be read, by its name."""
    unreadable: Mapping[str, str]
    """Reason by clip."""
    dataset: Path
    rows: Mapping[str, int]
    """Samples by split."""
    base: BaseModelFolder
    """Its configuration and processor; weights need not be there."""
    preprocessor: Preprocessor | None
    """None where the folder of the base holds no tokenizer."""

    def split(self, split: Split) -> Dataset:
        """Rows of a split."""
        return read_split(self.dataset, split)

    @property
    def sources(self) -> Mapping[str, MediaSource]:
        """The files of each clip by its name."""
        return self.listing.sources


@contextmanager
def plan_run(config: RunConfig) -> Iterator[Plan]:
    """The plan of a recipe; what it writes is gone after the block, but for the synthetic videos that the run makes too.

    Videos are digested, since the splits depend on what they hold, and their headers read; none is decoded. The rules of the
    section `quality` are not applied: they need the frames.

    Raises:
        UserError: manifest, splits, answers or base model are refused, as the run would refuse them.
    """
    data, rule = config.data, config.dataset
    if data.synthetic is not None:
        generate_exercise_videos(
            data.manifest.parent, **data.synthetic.model_dump(), seed=config.seed, workers=config.frames.workers
        )
    if data.synthetic_guard is not None:
        generate_incident_videos(
            data.manifest.parent, **data.synthetic_guard.model_dump(), seed=config.seed, workers=config.frames.workers
        )
    reading = keep_trainable(read_manifest(data.manifest, data.media_root, allow_outside=data.allow_outside), data.manifest)
    listing = make_listing(reading.samples, reading.problems, reading.format)
    shapes, unreadable = _probe(listing, frame_rule(config.frames))
    if unreadable and not shapes and not is_text_alone(listing.samples):
        clip, reason = next(iter(unreadable.items()))
        raise UserError(f"{data.manifest}: none of its {len(unreadable)} videos can be read, such as {clip}: {reason}")
    digests = {clip: digest for clip, digest in listing.media_digests.items() if clip in shapes and digest is not None}
    with tempfile.TemporaryDirectory(prefix="video-guard-plan-") as folder:
        dataset = Path(folder) / "dataset"
        cleaned = clean_for(listing.samples, rule.answer)
        rows = build_dataset(
            cleaned.samples,
            digests,
            **rule.model_dump(exclude={"answer"}),
            seed=config.seed,
            folder=dataset,
            # When the frames are shown decides which are labelled unsafe, and nothing that is estimated.
            times_of=lambda clip: range(shapes[clip].frames),
        )
        base = _base(config.model, config.seed, dataset, is_text_alone(listing.samples), Path(folder) / "base")
        preprocessor = Preprocessor(load_processor(base), base.family) if _has_tokenizer(base.folder) else None
        yield Plan(config, listing, shapes, unreadable, dataset, rows, base, preprocessor)


def frame_rule(frames: FramesSection) -> FrameRule:
    """The rule as the frames are stored by it."""
    names = FrameRule.__dataclass_fields__.keys() - {"limits"}
    return FrameRule(**frames.model_dump(include=set(names)), limits=SourceLimits(**frames.limits.model_dump()))


def splits_of(rows: Mapping[str, int]) -> Sequence[Split]:
    """The splits that have rows."""
    return [split for split in SPLITS if rows[split]]


def _probe(listing: Listing, rule: FrameRule) -> tuple[dict[str, ClipShape], dict[str, str]]:
    def probe(source: MediaSource) -> ClipShape | str:
        try:
            return probe_clip(source, rule)
        except DecodeError as reason:
            return str(reason)

    sources = listing.sources
    with ThreadPoolExecutor(_PROBED_AT_ONCE) as threads:
        found = dict(zip(sources, threads.map(probe, sources.values()), strict=True))
    shapes = {clip: shape for clip, shape in found.items() if isinstance(shape, ClipShape)}
    return shapes, {clip: shape for clip, shape in found.items() if isinstance(shape, str)}


def _base(model: ModelSection, seed: int, dataset: Path, text_alone: bool, folder: Path) -> BaseModelFolder:
    """The folder of the base with its configuration and processor: built with random weights, given, or from the hub."""
    if model.tiny is not None:
        from videoguard.models.tiny.building import build_tiny
        from videoguard.models.tiny.pretraining import texts_for

        learns = text_alone and family_is_text(model)
        build_tiny(model.tiny, texts_for(model.tiny, dataset if learns else None), seed, folder)
        return BaseModelFolder(folder, f"tiny-{model.tiny.family}", "", family_of_folder(folder))
    name = str(model.base)
    found = Path(name)
    if not found.is_dir():
        from videoguard.models.hub import download_model

        found = download_model(name, model.revision, only=_SMALL_FILES)
    return BaseModelFolder(found, name, "", family_of_folder(found))


def family_is_text(model: ModelSection) -> bool:
    """Whether a tiny model reads text only."""
    from videoguard.models.families import family_of

    return model.tiny is not None and family_of(model.tiny.family).media == "text"


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json"))
