"""Whether what a run will write fits on the disk."""

from pathlib import Path

from tasks.frames import shard_is_stored, shards_of
from tasks.manifest import listing_of
from tasks.step import Workplace
from videoguard.artifacts.records import Artifact
from videoguard.config import RunConfig
from videoguard.disk import count_lora_parameters, count_whole_parameters, estimate_disk, require_space
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
        adapter_parameters=_trained_parameters(config),
        keep_last=config.training.keep_last,
    )
    require_space(needs, place.state)


def _trained_parameters(config: RunConfig) -> int | None:
    """Weights of the adapter and of what is trained whole; None where the base is on a hub, or is made here and small."""
    base, lora = config.model.base, config.training.lora
    if base is None or not Path(base).is_dir():
        return None
    family = family_of_folder(Path(base))
    adapter = count_lora_parameters(Path(base), lora.r, lora.targets, outside(lora.parts, family) or _NOTHING)
    patterns = {"vision": family.vision, "projector": family.projector}
    whole = [patterns[part] for part in config.training.train_whole]
    return adapter + count_whole_parameters(Path(base), lora.modules_to_save, whole)
