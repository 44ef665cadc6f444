"""The models that are asked, found by their names and with what they were trained on, before anything is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from videoguard.config import FramesSection
from videoguard.errors import UserError
from videoguard.models.base import BaseModelFolder, find_base
from videoguard.models.loading import default_dtype, usable_device
from videoguard.models.preprocessing import PreprocessingRecord, make_record, read_record
from videoguard.registry.references import NamedModel, find_model


@dataclass(frozen=True)
class AskedModel:
    """A model to ask."""

    name: str
    """As the user gave it."""
    base: BaseModelFolder
    adapter: Path | None
    record: PreprocessingRecord
    """What the adapter was trained with; of a base what it is asked with."""
    loaded: Mapping[str, str] = field(default_factory=dict)
    """`dtype`, `quantization` and `attention` of the weights."""
    version: str | None = None
    """Number of the registered version."""


def find_models(
    names: Sequence[str],
    tracking_uri: str,
    *,
    base: str | None = None,
    frames: int | None = None,
    dtype: str | None = None,
    device: str = "auto",
) -> list[AskedModel]:
    """What each name stands for.

    Args:
        names: registered versions or aliases, folders of adapters, base models.
        tracking_uri: MLflow server or database.
        base: folder or hub name in place of the base that an adapter names.
        frames: frames taken of a video. An adapter must have been trained with so many.
        dtype: number format of the weights; None for that of the recipe of a registered version, bfloat16 for a base model
            on a GPU that computes in it, else float32.
        device: where the models will compute, as of `usable_device`.

    Raises:
        UserError: there is no such model or device, or the model was trained with another number of frames.
        UnavailableError: MLflow does not answer.
    """
    bases: dict[str, BaseModelFolder] = {}
    asked = []
    for named in [find_model(name, tracking_uri, base) for name in names]:
        if named.base not in bases:
            bases[named.base] = find_base(named.base)
        asked.append(_asked(named, bases[named.base], frames, dtype, device))
    return asked


def _asked(named: NamedModel, base: BaseModelFolder, frames: int | None, dtype: str | None, device: str) -> AskedModel:
    if named.adapter is None:
        section = FramesSection() if frames is None else FramesSection(count=frames)
        text_only = base.family.media == "text"
        # Nothing is compared with a base's own record, so the processor need not be read for it.
        record = make_record(base, "", section, base_name=base.name, system_prompt=None, question=None, text_only=text_only)
    else:
        record = read_record(named.adapter)
        if frames is not None and frames != record.frames:
            raise UserError(
                f"model {named.name} was trained with {record.frames} frames of a video, and --num-frames is {frames}: "
                "leave it out, or ask the base model"
            )
        if record.base_digest != base.digest:
            raise UserError(
                f"model {named.name} does not fit its base {base.name}: base_digest: trained with {record.base_digest!r}, "
                f"found {base.digest!r}; give the base that it was trained on (--base)"
            )
    # An adapter stays in the format that recipes train in, unless its own recipe names another.
    unnamed = default_dtype(usable_device(device)) if named.adapter is None else "float32"
    loaded = {
        "dtype": dtype or named.settings.get("model.dtype", unnamed),
        "quantization": named.settings.get("model.quantization", "none"),
        "attention": named.settings.get("model.attention", "auto"),
    }
    return AskedModel(named.name, base, named.adapter, record, loaded, named.version)
