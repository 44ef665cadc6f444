"""An exported folder on the Hugging Face hub. The token comes from the environment or `hf auth login`; it is never shown."""

from pathlib import Path

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from videoguard.errors import UnavailableError, UserError


def push_to_hub(folder: Path, repository: str, *, private: bool) -> str:
    """Upload a folder to a model repository, made where it is not there; the address of the commit.

    Args:
        folder: an exported model.
        repository: `owner/name`.
        private: whether a repository that is made now is private.

    Raises:
        UserError: the name is none, or the hub refuses the token or its rights.
        UnavailableError: the hub does not answer.
    """
    hub = HfApi()
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        done = hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Export from Video-Guard")
    except HFValidationError:
        raise UserError(f"--push is {repository}: a repository of the hub is named owner/name") from None
    except LocalTokenNotFoundError:
        raise UserError("--push needs a token: set HF_TOKEN, or run `hf auth login`") from None
    except HfHubHTTPError as refusal:
        status = refusal.response.status_code
        if status in {401, 403}:
            raise UserError(
                f"--push is {repository}: the hub refuses ({status}); set HF_TOKEN to a token that may write there"
            ) from None
        raise UnavailableError(f"the hub did not take {repository} ({status}); the folder {folder} is complete") from None
    except (httpx2.HTTPError, OSError) as fault:
        raise UnavailableError(
            f"the hub does not answer ({type(fault).__name__}); the folder {folder} is complete"
        ) from None
    return str(done.commit_url)
