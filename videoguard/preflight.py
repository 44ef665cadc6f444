"""Looking at everything that the user gave before any expensive step."""

from collections.abc import Sequence
from pathlib import Path

from videoguard.config import RunConfig
from videoguard.dataset.messages import PromptTemplates
from videoguard.dataset.requirements import require_fields
from videoguard.errors import UserError, refuse_all
from videoguard.evaluation.custom import load_custom_metrics
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.sample import Sample
from videoguard.manifests.trainable import is_guarded, is_text_alone, keep_trainable
from videoguard.models.base import check_base, family_of_folder
from videoguard.models.families import require_streaming
from videoguard.training.launching import check_launch


def check_inputs(config: RunConfig) -> None:
    """Refuse a run whose manifest, base model or launcher cannot be used.

    Raises:
        UserError: naming the file or model, and the rule.
    """
    if config.data.synthetic_guard is not None:
        _require_streaming(config)
    if not config.data.is_made:
        data, rule = config.data, config.dataset
        reading = read_manifest(data.manifest, data.media_root, allow_outside=data.allow_outside)
        templates = PromptTemplates(rule.system_prompt, rule.question)
        samples = keep_trainable(reading, data.manifest).samples
        require_fields(samples, rule.group_by, templates)
        if rule.answer is not None:
            # With the library of JSON Schema, which no other recipe needs.
            from videoguard.dataset.cleaning import clean_for

            clean_for(samples, rule.answer)
        _require_media(config, samples)
        if is_guarded(samples):
            _require_streaming(config)
    check_launch(config.training)
    if config.evaluation.custom is not None:
        load_custom_metrics(config.evaluation.custom)
    if config.model.base is not None:
        check_base(config.model.base, config.model.revision)


def _require_streaming(config: RunConfig) -> None:
    """Refuse a model that cannot judge guarded videos frame by frame, and a score that answers to them have not."""
    if config.training.metric != "loss":
        raise UserError(
            f"training.metric is {config.training.metric}: guarded videos are judged frame by frame, so take loss"
        )
    if config.model.tiny is not None:
        require_streaming(config.model.tiny.family)
    elif Path(str(config.model.base)).is_dir():
        require_streaming(family_of_folder(Path(str(config.model.base))).model_type)


def _require_media(config: RunConfig, samples: Sequence[Sample]) -> None:
    """Refuse sections that look at frames where the data set has none."""
    if is_text_alone(samples):
        given = {"quality": config.quality, "augmentation": config.augmentation}
        refuse_all(
            f"{config.data.manifest} is text alone",
            (f"{name} judges or changes frames: leave it out" for name, section in given.items() if section is not None),
        )
