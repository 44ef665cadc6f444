"""Whether what a run will write fits on the disk."""

from pathlib import Path

from tasks.frames import shard_is_stored, shards_of
from tasks.manifest import listing_of
from tasks.step import Workplace
from videoguard.artifacts.records import Artifact
from videoguard.config import RunConfig
from videoguard.disk import count_lora_parameters, estimate_disk, require_space
from videoguard.models.base import family_of_folder
from videoguard.models.parts import outside

_NOTHING = r"(?!)"
"""Pattern that no name matches."""


def check_space(place: Workplace, config: RunConfig, manifest: Artifact) -> None:
    """Refuse a run that does not fit; what is stored already is not counted.

    Raises:
        UserError: with the bytes of every part and the free bytes.
    """
    frames = config.frames
    missing = [
        shard
        for shard in shards_of(place, config.data, frames, manifest)
        if not shard_is_stored(place, config.data, frames, manifest, shard)
    ]
    needs = estimate_disk(
        frames,
        clips=sum(len(shard) for shard in missing),
        rows=len(listing_of(place, config.data, manifest).samples),
        adapter_parameters=_adapter_parameters(config),
    )
    require_space(needs, place.state)


def _adapter_parameters(config: RunConfig) -> int | None:
    """Weights of the adapter; None where the base is on a hub, or is made here and small."""
    base, lora = config.model.base, config.training.lora
    if base is None or not Path(base).is_dir():
        return None
    excluded = outside(lora.parts, family_of_folder(Path(base)))
    return count_lora_parameters(Path(base), lora.r, lora.targets, excluded or _NOTHING)
