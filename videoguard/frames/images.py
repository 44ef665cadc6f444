"""A list of images as a clip: the frames that a manifest gives one by one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from videoguard.frames.decoding import DecodeError
from videoguard.frames.limits import OverLimitError, require_size_within
from videoguard.frames.resizing import Frame, resize_frame
from videoguard.frames.rule import FrameRule, SourceLimits
from videoguard.frames.sampling import uniform_indexes
from videoguard.frames.workers import EncodedVideo, encode_frame


def read_images(paths: Sequence[Path], rule: FrameRule) -> EncodedVideo:
    """Read images in their order, upright, and encode them in the size that the rule stores.

    All are taken; of more than `rule.count` the middles of so many equal parts of the list. They have no times: each counts
    as one second.

    Raises:
        DecodeError: an image is missing or cannot be read, or those that are stored are not of one size.
    """
    chosen = uniform_indexes(np.arange(len(paths)), len(paths), rule.count)
    sources = [_read(paths[place], rule.limits) for place in chosen]
    frames = [resize_frame(source, rule) for source in sources]
    sizes = sorted({(frame.shape[1], frame.shape[0]) for frame in frames})
    if len(sizes) > 1:
        told = " and ".join(f"{width} × {height}" for width, height in sizes[:2])
        raise DecodeError(f"its images have several sizes ({told} pixels): frames.resize cover or exact makes them one")
    height, width = frames[0].shape[:2]
    source_height, source_width = sources[0].shape[:2]
    return EncodedVideo(
        frames=[encode_frame(frame, rule) for frame in frames],
        timestamps_s=[float(place) for place in chosen],
        width=width,
        height=height,
        source_width=source_width,
        source_height=source_height,
        source_fps=1.0,
        duration_s=float(len(paths)),
        source_frames=len(paths),
    )


def _read(path: Path, limits: SourceLimits) -> Frame:
    try:
        with Image.open(path) as image:
            require_size_within(image.width, image.height, limits)
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError:
        raise DecodeError(f"the image {path.name} is missing") from None
    except OverLimitError as over:
        raise DecodeError(f"the image {path.name} is too large: {over}") from None
    # PIL raises any of these for files that are no image, cut off or damaged.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0].replace(str(path), path.name) if str(error) else type(error).__name__
        raise DecodeError(f"the image {path.name} cannot be read: {reason}") from None
