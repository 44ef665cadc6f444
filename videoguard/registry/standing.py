"""Where a version stands against the champion, asked of a database file without loading MLflow, which takes seconds."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, ConfigDict

SQLITE = "sqlite:///"
CANDIDATE, CHAMPION, PREVIOUS = "candidate", "champion", "previous"
AGAINST, BY_HAND, ROLLED_BACK = "promotion.against", "promotion.by_hand", "promotion.rolled_back"
BASE_MODEL = "base"
"""Value of `AGAINST` where the version was tested against its base model."""


class Standing(BaseModel):
    """A version and the one to beat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opponent: str | None
    """Number of the champion; None where there is none. Of a version that is the champion, the one that it beat."""
    opponent_source: str | None = None
    """Where MLflow keeps that version's model: what its number stands for."""
    settled: str | None = None
    """What a person has decided of this version, which no test overrules."""
    is_champion: bool = False


def read_standing(tracking_uri: str, model: str, version: str) -> Standing:
    """The standing of a version.

    Raises:
        UnavailableError: MLflow does not answer.
    """
    if not tracking_uri.startswith(SQLITE):
        from videoguard.registry.aliases import ask_standing

        return ask_standing(tracking_uri, model, version)
    database = Path(tracking_uri.removeprefix(SQLITE))
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        # The tables have had these columns since MLflow 2.3.
        asked = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
        row = connection.execute(asked, (model, CHAMPION)).fetchone()
        asked = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
        tags = dict(connection.execute(asked, (model, int(version))).fetchall())
        standing = stand(version, None if row is None else str(row[0]), tags)
        if standing.opponent is None:
            return standing
        asked = "SELECT source FROM model_versions WHERE name = ? AND version = ? AND current_stage <> 'Deleted_Internal'"
        source = connection.execute(asked, (model, int(standing.opponent))).fetchone()
    return standing.model_copy(update={"opponent_source": None if source is None else str(source[0])})


class Holder(BaseModel):
    """A version that an alias points at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    source: str
    """Where MLflow keeps its model."""


def read_holders(tracking_uri: str, model: str) -> dict[str, Holder]:
    """The version that each alias of a model points at; empty where no such model is registered.

    Raises:
        UnavailableError: MLflow does not answer.
    """
    if not tracking_uri.startswith(SQLITE):
        from videoguard.registry.aliases import ask_holders

        return ask_holders(tracking_uri, model)
    database = Path(tracking_uri.removeprefix(SQLITE))
    if not database.is_file():
        return {}
    asked = (
        "SELECT a.alias, v.version, v.source FROM registered_model_aliases a JOIN model_versions v "
        "ON v.name = a.name AND v.version = a.version WHERE a.name = ? AND v.current_stage <> 'Deleted_Internal'"
    )
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(asked, (model,)).fetchall()
    return {str(alias): Holder(version=str(version), source=str(source)) for alias, version, source in rows}


def stand(version: str, champion: str | None, tags: Mapping[str, str]) -> Standing:
    """The standing of a version with these tags.

    The champion keeps the opponent that it was tested against, so that the same run comes to the same decision again.
    """
    is_champion = champion == version
    beaten = tags.get(AGAINST, BASE_MODEL)
    opponent = champion if not is_champion else None if beaten == BASE_MODEL else beaten
    return Standing(
        opponent=opponent,
        settled=tags.get(BY_HAND) if is_champion else tags.get(ROLLED_BACK),
        is_champion=is_champion,
    )
