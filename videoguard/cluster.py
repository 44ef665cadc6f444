"""The workers of a Dask cluster, looked at before a run relies on them.

An artifact is named by the code that makes it, and travels through the shared store. So a worker has to have the same code,
and the same store, as the machine that sends it work.
"""

import asyncio
import multiprocessing
import os
import platform
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from videoguard.artifacts.shared import SharedStore
from videoguard.config import ExecutionSection
from videoguard.config.places import CLUSTER_VARIABLE, STORE_VARIABLE, check_address
from videoguard.digests import digest_program
from videoguard.errors import UserError, refuse_all
from videoguard.revision import package_versions

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_SECONDS, _ANSWER_SECONDS = 10.0, 10.0
_INSTALL = "install it with pip install 'video-guard[dask]'"


class Needs(BaseModel):
    """What a worker must have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    """Digest of the program."""
    packages: dict[str, str]
    """Versions of Python and of the packages that a result depends on."""
    state: Path
    """State folder, as the recipe names it: a relative one is meant in the worker's working folder."""
    store: str
    """URL of the shared store."""
    mark: str
    """What the store holds at the moment."""
    api: str | None = None
    """Address of Prefect's server, where it is to be reached."""


class WorkerReport(BaseModel):
    """One worker, and what it lacks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Its name, and the machine that it is on."""
    state: str = ""
    """Its state folder."""
    problems: tuple[str, ...] = ()


def check_runner(execution: ExecutionSection) -> None:
    """Refuse a runner that lacks its package, its address or the store; no connection is made.

    Raises:
        UserError: naming the setting.
    """
    if execution.runner == "threads":
        return
    if find_spec("prefect_dask") is None:
        raise UserError(f"execution.runner is dask, which is not installed: {_INSTALL}, or set execution.runner to threads")
    if execution.scheduler is None:
        raise UserError(
            "execution.runner is dask, and no scheduler is named: set execution.address or the variable "
            f"{CLUSTER_VARIABLE} to tcp://HOST:PORT, as `dask scheduler` prints it"
        )
    try:
        check_address(execution.scheduler)
    except ValueError as fault:
        raise UserError(f"{CLUSTER_VARIABLE}: {fault}") from None
    if execution.shared is None:
        raise UserError(
            "execution.runner is dask, and there is no shared store, through which artifacts travel between machines: set "
            f"execution.store or the variable {STORE_VARIABLE} to a folder that all machines see, or to an S3 address"
        )


def check_cluster(execution: ExecutionSection, api: str | None) -> None:
    """Refuse a cluster of which a worker could not do its part.

    Args:
        execution: with the address of the scheduler and the shared store, as `check_runner` lets it pass.
        api: address of Prefect's server.

    Raises:
        UserError: the scheduler does not answer or has no workers, or naming every worker with what it lacks.
    """
    address, store = execution.scheduler, execution.shared
    assert address is not None
    assert store is not None
    reports = examine_cluster(address, store, execution.state, api)
    refuse_all(
        f"execution.address is {address}",
        (f"{report.name}: {problem}" for report in reports for problem in report.problems),
    )


def examine_cluster(address: str, store: str, state: Path, api: str | None = None) -> list[WorkerReport]:
    """What each worker has and lacks.

    Args:
        address: of the scheduler.
        store: URL of the shared store; a file is written there for the while.
        state: state folder of the runs.
        api: address of Prefect's server, where workers have to reach it.

    Raises:
        UserError: the scheduler does not answer or has no workers, or the store cannot be used from here.
    """
    shared = SharedStore(store)
    shared.require_usable()
    with _connected(address) as client, shared.mark() as mark:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise UserError(
                f"execution.address is {address}: the scheduler has no workers; start some with `dask worker {address}`"
            )
        packages = {**package_versions(), "distributed": version("distributed")}
        needs = Needs(code=program(), packages=packages, state=state, store=store, mark=mark, api=api)
        found = client.run(examine_worker, needs, on_error="return")
        return [_report(str(workers[name]["name"]), name, found[name]) for name in workers if name in found]


def find_unreadable(client: "Client", sizes: Mapping[str, int]) -> dict[str, str]:
    """Workers that do not see files as this machine does, with the first such file; they are looked at by path and size."""
    told = client.run(look_at_files, dict(sizes), on_error="return")
    return {f"worker {address}": str(problem) for address, problem in told.items() if problem is not None}


def look_at_files(sizes: dict[str, int]) -> str | None:
    """Run on a worker: the first file that is not there with its size, in words; None where all are."""
    for name, expected in sizes.items():
        try:
            found = Path(name).stat().st_size
        except OSError as fault:
            return f"it cannot read {name} ({fault.strerror}): videos must have the same path on all machines"
        if found != expected:
            return f"{name} has {found:,} bytes there and {expected:,} here: it must be the same file on all machines"
    return None


@cache
def program() -> str:
    """Digest of the program that this process runs."""
    return digest_program()


async def examine_worker(needs: Needs) -> WorkerReport:
    """Run on a worker: what it lacks. Beside its loop, which answers the scheduler meanwhile."""
    return await asyncio.to_thread(_examine, needs)


def _examine(needs: Needs) -> WorkerReport:
    state = needs.state.absolute()
    return WorkerReport(
        name=platform.node(),
        state=str(state),
        problems=(
            *_compare_program(needs),
            *_try_state(state),
            *_try_store(needs.store, needs.mark),
            *([] if needs.api is None else _try_prefect(needs.api)),
            *_can_start_processes(),
        ),
    )


def _report(name: str, address: str, found: object) -> WorkerReport:
    called = address if name in ("", address) else f"{name} ({address})"
    if isinstance(found, WorkerReport):
        return found.model_copy(update={"name": f"worker {called} on {found.name}"})
    # A worker without this module, or with another form of it, cannot even read what is asked.
    return WorkerReport(
        name=f"worker {called}",
        problems=(f"it cannot answer ({type(found).__name__}: {found}); install the same video-guard there",),
    )


@contextmanager
def _connected(address: str) -> "Iterator[Client]":
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as fault:
        raise UserError(
            f"execution.address is {address}: no scheduler answers there ({fault}); start one with `dask scheduler`, and "
            "check the address, the network and, for tls://, the certificates"
        ) from None
    with client:
        yield client


def _compare_program(needs: Needs) -> Iterator[str]:
    if program() != needs.code:
        yield "its code of video-guard is another one: bring it to the same revision and start the worker again"
    own = {**package_versions(), "distributed": version("distributed")}
    others = [
        f"{name} {own.get(name, 'absent')} instead of {wanted}"
        for name, wanted in needs.packages.items()
        if _release(name, own.get(name, "")) != _release(name, wanted)
    ]
    if others:
        yield f"it has {', '.join(others)}: install both machines from the same requirements.lock"


def _release(name: str, found: str) -> str:
    """A version without the part that names a build (`+cu128`); of Python, without the last number."""
    return found.rpartition(".")[0] if name == "python" else found.partition("+")[0]


def _try_state(state: Path) -> Iterator[str]:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        yield f"the state folder {state} cannot be made ({fault}): give execution.state a path that it may make there"
        return
    if not os.access(state, os.W_OK | os.X_OK):
        yield f"the state folder {state} may not be written to: start the worker in another folder, or as another user"


def _try_store(url: str, mark: str) -> Iterator[str]:
    try:
        store = SharedStore(url)
        store.require_usable()
        seen = store.has_mark(mark)
    except (UserError, OSError) as fault:
        yield str(fault)
        return
    if not seen:
        yield f"what is at {url} there is another store: mount the same folder on all machines, or take an S3 address"


def _try_prefect(api: str) -> Iterator[str]:
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=_ANSWER_SECONDS):  # noqa: S310  Prefect's own address
            return
    except urllib.error.HTTPError:
        # It answers; whether it knows the login is told to the flow already.
        return
    except (OSError, ValueError) as fault:
        yield (
            f"it does not reach Prefect's server at {api} ({fault}): use one that all machines reach "
            "(PREFECT_API_URL; docs/team.md tells how to start it)"
        )


def _can_start_processes() -> Iterator[str]:
    if multiprocessing.current_process().daemon:
        yield (
            "its nanny does not let it start processes, in which videos are decoded: start it with "
            "DASK_DISTRIBUTED__WORKER__DAEMON=false in its environment"
        )
