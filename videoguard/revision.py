"""Which code and packages made a result."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

from videoguard import __version__

_PACKAGES = ("torch", "transformers", "peft", "datasets", "av", "mlflow", "prefect", "sentence-transformers", "nltk")


def code_revision() -> str:
    """The version of Video-Guard and, in a checkout, the commit, marked where files were changed since."""
    checkout = Path(__file__).parents[1]
    try:
        described = subprocess.run(  # noqa: S603
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607  git as the user has it
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} ({described.stdout.strip()})"


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _PACKAGES}}
