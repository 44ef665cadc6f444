"""Prefect on the temporary server that the command line starts."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory) -> Iterator[Path]:
    """A server for this session; the folder of its recorded results."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_HOME,
        PREFECT_LOCAL_STORAGE_PATH,
        PREFECT_LOGGING_LEVEL,
        temporary_settings,
    )

    from commands.prefect_server import prefect_server

    state: Path = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        # No prefect.toml is here; what the server is told ends with the session.
        patch.chdir(state)
        patch.setenv("PREFECT_API_URL", "")
        patch.setenv("PREFECT_HOME", str(state / "prefect"))
        patch.setenv("PREFECT_LOGGING_LEVEL", "CRITICAL")
        patch.setenv("PREFECT_INTERNAL_LOGGING_LEVEL", "CRITICAL")
        patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        patch.setenv("MPLCONFIGDIR", str(state / "matplotlib"))
        with prefect_server(state, verbose=False):
            # Prefect may have been imported, and have read its settings, before.
            settings = {
                PREFECT_API_URL: os.environ["PREFECT_API_URL"],
                PREFECT_HOME: state / "prefect",
                PREFECT_LOCAL_STORAGE_PATH: state / "prefect/storage",
                PREFECT_LOGGING_LEVEL: "CRITICAL",
            }
            with temporary_settings(settings):
                yield state / "prefect/storage"
