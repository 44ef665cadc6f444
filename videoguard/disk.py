"""How much disk a run needs, and whether there is that much.

The constants were measured: bytes of frames on six real clips scaled to 96, 224, 448 and 640 pixels (the synthetic exercise
videos take half as much), bytes of rows on the quickstart. What is downloaded from a hub is not counted: its size is not
known beforehand, and it does not land in the state folder.
"""

import json
import math
import re
import shutil
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from videoguard.config import FramesSection
from videoguard.errors import UserError

# Bytes of a pixel are a + b / longest side: scaled down, a picture keeps its edges and loses its flat parts. Means over the
# clips, right to 5 % for JPEG of quality 95 without chroma subsampling and to 10 % for PNG of compression level 3.
_BYTES_PER_PIXEL = {"jpeg": (0.31, 51.0), "png": (1.1, 90.0)}
_JPEG_QUALITY = ((75, 0.5), (90, 0.75), (95, 1.0), (100, 2.2))
"""Highest quality, and its bytes relative to those of quality 95."""
FRAME_SHAPE = 0.75
"""Shorter side of a frame by its longer one."""

_ROW_BYTES = 4_000
"""Manifest, dataset, answers and scores of two models, and the workbook with its copy in MLflow."""
_BOOKKEEPING_BYTES = 20_000_000
"""Databases of MLflow and Prefect, curves and logs."""

_WEIGHT_BYTES = 4
_OPTIMIZER_BYTES = 8
"""AdamW keeps two numbers of 4 bytes for each trained weight."""
_BEST_AND_NEXT = 2
"""Checkpoints beside the newest: the best one, and the one that is being written."""

_RESERVE_SHARE = 0.1
_LEAST_RESERVE_BYTES = 200_000_000


@dataclass(frozen=True)
class Need:
    """What one part of a run writes."""

    part: str
    bytes: int
    how: str
    """How the number comes about."""


def estimate_disk(
    frames: FramesSection,
    *,
    clips: int,
    rows: int,
    adapter_parameters: int | None,
    keep_last: int = 2,
    base_parameters: int = 0,
) -> list[Need]:
    """What a run writes to its state folder at most, by part; parts that need nothing are left out.

    Args:
        frames: how frames are stored; every one is taken as large as it may be.
        clips: distinct videos and lists of images whose frames are not stored yet.
        rows: samples of the manifest.
        adapter_parameters: weights that are trained; None where they are not known, which leaves them out.
        keep_last: newest checkpoints of the training that are kept.
        base_parameters: weights of a base model that is pre-trained here; 0 where they are not known, since it is tiny.
    """
    frame = frame_bytes(_longest_side(frames), frames.codec, frames.jpeg_quality)
    needs = [
        Need("frames", clips * frames.count * frame, f"{clips:,} videos × {frames.count} frames × {size_in_words(frame)}"),
        Need("rows", rows * _ROW_BYTES, f"{rows:,} samples × {size_in_words(_ROW_BYTES)} in dataset, answers and workbook"),
        _training("base model", base_parameters, keep_last=2, copies=1),
        _training("adapter", adapter_parameters or 0, keep_last=keep_last, copies=2),
        Need("bookkeeping", _BOOKKEEPING_BYTES, "databases of MLflow and Prefect, logs"),
    ]
    return [need for need in needs if need.bytes]


def needed_space(needs: Sequence[Need]) -> int:
    """Bytes of all parts, with a reserve of 10 %, and of 200 MB at least."""
    needed = sum(need.bytes for need in needs)
    return needed + max(round(needed * _RESERVE_SHARE), _LEAST_RESERVE_BYTES)


def free_space(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(existing).free


def require_space(needs: Sequence[Need], folder: Path) -> None:
    """Refuse a run that does not fit on the disk of `folder`, with the reserve of `needed_space`.

    Raises:
        UserError: with the bytes of every part, the free bytes, and what can be done.
    """
    needed, free = needed_space(needs), free_space(folder)
    if needed <= free:
        return
    reserve = needed - sum(need.bytes for need in needs)
    parts = [f"  - {need.part}: {size_in_words(need.bytes)} ({need.how})" for need in needs]
    raise UserError(
        f"the run needs {size_in_words(needed)} in {folder}, {size_in_words(free)} are free there\n"
        + "\n".join([*parts, f"  - reserve: {size_in_words(reserve)}"])
        + "\nmake room (`video-guard artifacts gc` lists what can go), take fewer or smaller frames (frames.count, "
        "frames.max_side), or set execution.state to a folder on a larger disk"
    )


def frame_bytes(max_side: int, codec: Literal["jpeg", "png"], jpeg_quality: int) -> int:
    """Bytes of a stored frame whose longest side has `max_side` pixels."""
    flat, edges = _BYTES_PER_PIXEL[codec]
    quality = next(factor for highest, factor in _JPEG_QUALITY if jpeg_quality <= highest) if codec == "jpeg" else 1.0
    return round(max_side * max_side * FRAME_SHAPE * (flat + edges / max_side) * quality)


def count_lora_parameters(model: Path, rank: int, targets: Collection[str] | str, excluded: str) -> int:
    """Weights of a LoRA adapter on a model folder; reads the headers of its `*.safetensors` and no weights.

    Each adapted matrix of `(out, in)` gets `rank · (in + out)` weights (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

    Args:
        model: folder with `*.safetensors`.
        rank: of the adapter.
        targets: last part of the names of the adapted modules, a pattern of their whole names, or `all-linear` for every
            linear layer but the output.
        excluded: pattern of modules that are left alone.
    """
    count = 0
    for name, shape in _weights(model):
        module = name.removesuffix(".weight")
        adapted = _is_target(module, targets) and not re.fullmatch(excluded, module)
        if name.endswith(".weight") and len(shape) == 2 and adapted:
            count += rank * sum(shape)
    return count


def count_whole_parameters(model: Path, names: Collection[str], patterns: Sequence[str]) -> int:
    """Weights of the modules of a model folder that are trained whole; reads headers alone, as `count_lora_parameters`.

    Args:
        model: folder with `*.safetensors`.
        names: last part of the names of such modules.
        patterns: of the whole names of their weights.
    """
    return sum(
        math.prod(shape)
        for name, shape in _weights(model)
        if any(name == f"{end}.weight" or f".{end}." in f".{name}" for end in names)
        or any(re.fullmatch(pattern, name) for pattern in patterns)
    )


def _is_target(module: str, targets: Collection[str] | str) -> bool:
    last = module.rpartition(".")[2]
    if targets == "all-linear":
        return last not in {"lm_head", "embed_tokens"}
    return re.fullmatch(targets, module) is not None if isinstance(targets, str) else last in targets


def _longest_side(frames: FramesSection) -> int:
    """Longest side of a frame of the usual shape that has as many pixels as the rule stores at most."""
    if frames.width is not None and frames.height is not None:
        return math.ceil(math.sqrt(frames.width * frames.height / FRAME_SHAPE))
    if frames.max_pixels is not None:
        return math.ceil(math.sqrt(frames.max_pixels / FRAME_SHAPE))
    return frames.max_side


def size_in_words(size: float) -> str:
    """Bytes in the unit that fits: `725 kB`, `1.2 GB`."""
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 9.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def _training(part: str, parameters: int, keep_last: int, copies: int) -> Need:
    """Checkpoints of a training, and its result: in the store, and in MLflow where there are two copies."""
    checkpoint = parameters * (_WEIGHT_BYTES + _OPTIMIZER_BYTES)
    checkpoints = keep_last + _BEST_AND_NEXT
    total = checkpoints * checkpoint + copies * parameters * _WEIGHT_BYTES
    return Need(part, total, f"{parameters:,} weights: {checkpoints} checkpoints of {size_in_words(checkpoint)}, the result")


def _weights(model: Path) -> Iterator[tuple[str, list[int]]]:
    """Name and shape of every weight, from the headers (https://huggingface.co/docs/safetensors: length, then JSON)."""
    for path in sorted(model.glob("*.safetensors")):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        yield from ((name, entry["shape"]) for name, entry in header.items() if name != "__metadata__")
