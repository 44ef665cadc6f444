"""Whether MLflow's server takes the login of this machine, asked before any work and without loading MLflow."""

import base64
import configparser
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from videoguard.errors import UserError

_ANSWER_SECONDS = 10.0
_REFUSED = (401, 403)


def require_login(tracking_uri: str) -> None:
    """Refuse a login that the server does not take. One that does not answer may be away for a while, and is no fault here.

    Raises:
        UserError: the server wants another login.
    """
    if urlsplit(tracking_uri).scheme not in ("http", "https"):
        return
    address, login = _split(tracking_uri)
    question = f"{address.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1"
    request = urllib.request.Request(question, headers={"Authorization": login} if login else {})  # noqa: S310  http alone
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as refusal:
        if refusal.code in _REFUSED:
            told = "does not take the login" if login else "asks for a login"
            raise UserError(
                f"MLflow at {address} {told} (status {refusal.code}): set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD to a user of it"
            ) from None
    except (OSError, ValueError):
        return


def _split(tracking_uri: str) -> tuple[str, str | None]:
    """The address without a login in it, and the header of the login as MLflow's client would send it."""
    parts = urlsplit(tracking_uri)
    name, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if not (name and password):
        name, password = _kept_login()
    if not (name and password) and parts.username and parts.password:
        name, password = unquote(parts.username), unquote(parts.password)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if name and password:
        return address, "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return address, f"Bearer {token}" if token else None


def _kept_login() -> tuple[str | None, str | None]:
    """Name and password of the file that `mlflow login` writes."""
    kept = configparser.ConfigParser(interpolation=None)
    try:
        kept.read(Path.home() / ".mlflow/credentials", encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return None, None
    section = kept["mlflow"] if kept.has_section("mlflow") else {}
    return section.get("mlflow_tracking_username"), section.get("mlflow_tracking_password")
