"""Where a run keeps its state, and where its models are registered.

What a team shares may stand in the environment of its machines, so that no recipe has to name it.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

from videoguard.config.promotion import PromotionSection
from videoguard.config.section import Section

TRACKING_VARIABLE, STORE_VARIABLE = "VIDEO_GUARD_TRACKING_URI", "VIDEO_GUARD_STORE"
CLUSTER_VARIABLE = "VIDEO_GUARD_CLUSTER"
_SCHEDULER = re.compile(r"(tcp|tls|ucx|ws|wss)://[^/\s]+:\d{1,5}(/\S*)?")


def check_address(address: str) -> str:
    """The address of a Dask scheduler, as it is.

    Raises:
        ValueError: it is none.
    """
    if _SCHEDULER.fullmatch(address) is None:
        raise ValueError(f"{address} is no address of a scheduler: write tcp://HOST:PORT, as `dask scheduler` prints it")
    return address


class RegistrySection(Section):
    """MLflow."""

    tracking_uri: str | None = None
    """MLflow server or database; when absent that of `VIDEO_GUARD_TRACKING_URI`, else a SQLite file in the state folder."""
    experiment: str = "video-guard"
    """Experiment that the runs belong to."""
    registered_model: str = "video-guard"
    """Name under which adapters are registered."""
    promotion: PromotionSection | None = PromotionSection()
    """When a version becomes champion; `null`, versions are only registered."""

    def uri(self, state: Path) -> str:
        """The MLflow server or database that is meant, with a SQLite file in the folder `state` as the default."""
        return self.tracking_uri or os.environ.get(TRACKING_VARIABLE) or own_database(state)


class ExecutionSection(Section):
    """Where the run keeps its state, and which machines work for it."""

    state: Path = Path(".video-guard")
    """Folder of artifacts, MLflow and Prefect."""
    store: str | None = None
    """Folder or fsspec URL (`s3://bucket/folder`) of artifacts that a team shares; when absent that of
    `VIDEO_GUARD_STORE`, else none. The state folder then caches it."""

    runner: Literal["threads", "dask"] = "threads"
    """Who decodes the shards of frames and answers the shards of inference: `threads` is this machine, `dask` the workers of
    a Dask cluster, which exchange artifacts through `store`."""
    address: Annotated[str, AfterValidator(check_address)] | None = None
    """Dask's scheduler (`tcp://host:8786`); when absent that of `VIDEO_GUARD_CLUSTER`."""

    @property
    def shared(self) -> str | None:
        """The shared store that is meant; a folder by its whole path."""
        named = self.store or os.environ.get(STORE_VARIABLE) or None
        return named if named is None or "://" in named else str(Path(named).absolute())

    @property
    def scheduler(self) -> str | None:
        """Dask's scheduler that is meant."""
        return self.address or os.environ.get(CLUSTER_VARIABLE) or None


def own_database(state: Path) -> str:
    """MLflow's SQLite file in the folder `state`."""
    return f"sqlite:///{(state / 'mlflow.db').absolute()}"
