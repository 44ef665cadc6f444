"""Whether a registered version or a run still exists, asked without loading MLflow, which takes seconds."""

import sqlite3
from contextlib import closing
from pathlib import Path

_SQLITE = "sqlite:///"


def version_exists(tracking_uri: str, model: str, version: str) -> bool:
    """Whether a database file has a version that was registered in it; a server is taken to have kept what it was given.

    Args:
        tracking_uri: of MLflow.
        model: registered model.
        version: its number.
    """
    # The table has had these columns since MLflow 1.4; a deleted version stays in it with another stage.
    asked = "SELECT current_stage FROM model_versions WHERE name = ? AND version = ?"
    return _ask(tracking_uri, asked, (model, int(version)), unless="Deleted_Internal")


def run_exists(tracking_uri: str, run_id: str) -> bool:
    """Whether a database file has a run that is not deleted; a server is taken to have kept what it was given.

    Args:
        tracking_uri: of MLflow.
        run_id: of the run.
    """
    return _ask(tracking_uri, "SELECT lifecycle_stage FROM runs WHERE run_uuid = ?", (run_id,), unless="deleted")


def _ask(tracking_uri: str, question: str, values: tuple[str | int, ...], unless: str) -> bool:
    if not tracking_uri.startswith(_SQLITE):
        return True
    database = Path(tracking_uri.removeprefix(_SQLITE))
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(question, values).fetchone()
    except sqlite3.DatabaseError:
        return False
    return found is not None and found[0] != unless
