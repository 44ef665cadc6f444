"""MLflow in a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from videoguard.config import RegistrySection
from videoguard.registry.tracking import Tracking


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Iterator[Path]:
    """An empty working folder; nothing but the state folder may appear in it."""
    folder: Path = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
    assert [path.name for path in folder.iterdir()] == ["state"]


@pytest.fixture(scope="module")
def tracking(workspace) -> Tracking:
    state = workspace / "state"
    return Tracking(RegistrySection().uri(state), "exercises", state)
