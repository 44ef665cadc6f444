"""Looking at everything that the user gave before any expensive step."""

from videoguard.config import RunConfig
from videoguard.dataset.messages import PromptTemplates
from videoguard.dataset.requirements import require_fields
from videoguard.manifests.reading import read_manifest
from videoguard.manifests.trainable import keep_trainable
from videoguard.models.base import check_base
from videoguard.training.launching import check_launch


def check_inputs(config: RunConfig) -> None:
    """Refuse a run whose manifest, base model or launcher cannot be used.

    Raises:
        UserError: naming the file or model, and the rule.
    """
    if config.data.synthetic is None:
        data, rule = config.data, config.dataset
        reading = read_manifest(data.manifest, data.media_root, allow_outside=data.allow_outside)
        templates = PromptTemplates(rule.system_prompt, rule.question)
        require_fields(keep_trainable(reading, data.manifest).samples, rule.group_by, templates)
    check_launch(config.training)
    if config.model.base is not None:
        check_base(config.model.base, config.model.revision)
