"""Upload an export to the Hub. The token comes from the environment and goes nowhere else."""

import logging
import os
from pathlib import Path

from tuneclip.errors import TuneclipError, one_line
from tuneclip.model.open import HUB_ID

logger = logging.getLogger("tuneclip")
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def demand(repository: str | None) -> str | None:
    """The token for an upload to `repository`, before any work is done; None where nothing is to be uploaded.

    Raises TuneclipError when the name is none or the environment has no token.
    """
    if repository is None:
        return None
    if not HUB_ID.fullmatch(repository):
        raise TuneclipError(f"{repository!r} is no name of a repository", expected="owner/name")
    token = next((os.environ[name] for name in TOKENS if os.environ.get(name)), None)
    if token is None:
        raise TuneclipError(
            "no token for the Hub", where=TOKENS[0], hint=f"set {TOKENS[0]} to a token that may write, then run again"
        )
    return token


def push(folder: Path, repository: str, token: str) -> str:
    """Upload all files of `folder`; a new repository is private. Returns its address.

    Raises TuneclipError when the Hub cannot be reached or refuses; the folder stays as it is.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # the HTTP library of this release

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    try:
        address = api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Export by tuneclip")
    except (HfHubHTTPError, httpx.HTTPError, OSError, ValueError) as error:
        reason = one_line(error, 300).replace(token, "…")
        raise TuneclipError(
            f"the upload to {repository} failed: {reason}",
            where=api.endpoint,
            hint=f"the export itself is done; hf upload {repository} {folder} tries the upload again",
        ) from error
    return str(address)
