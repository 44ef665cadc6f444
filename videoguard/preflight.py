"""Looking at everything that the user gave before any expensive step."""

from videoguard.config import RunConfig
from videoguard.manifests.reading import read_manifest
from videoguard.models.base import check_base


def check_inputs(config: RunConfig) -> None:
    """Refuse a run whose manifest or base model cannot be used.

    Raises:
        UserError: naming the file or model, and the rule.
    """
    if config.data.synthetic is None:
        read_manifest(config.data.manifest, config.data.media_root)
    if config.model.base is not None:
        check_base(config.model.base, config.model.revision)
