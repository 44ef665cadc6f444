"""Models of the Hugging Face hub. Apart from `base`, since loading its library takes part of a second."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from videoguard.errors import UserError


def download_model(name: str, revision: str | None, only: str | list[str] | None = None) -> Path:
    """Folder of a hub model, downloaded where it is not on disk.

    Args:
        name: `owner/model`.
        revision: commit or tag.
        only: pattern, or patterns, of the files that are wanted; all of them when None.

    Raises:
        UserError: the hub does not have or give it.
    """
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=only))
    except HFValidationError:
        raise UserError(f"model.base is {name}: no such folder, and not a name of the hub (owner/model)") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as failure:
        first_line = str(failure).strip().splitlines()[0]
        raise UserError(
            f"model.base is {name}: no such folder, and the hub did not give it ({first_line}): "
            "check the name, the network and, for a gated model, `hf auth login`"
        ) from None
