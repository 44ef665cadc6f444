"""Shards of a step on the workers of a Dask cluster, where the recipe names one; else in threads of this process.

A worker is another machine: it has a working folder and a state folder of its own, and fetches the artifacts that it reads
from the shared store, into which it puts those that it makes. What it must find under the same path are the videos, and a
base model that is a folder.
"""

import contextlib
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from prefect import Task, flow
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, PrefectFutureList
from prefect.settings import get_current_settings
from pydantic import BaseModel

from tasks.step import ByProvenance, Errand, Workplace
from videoguard.artifacts.records import Artifact
from videoguard.cluster import check_cluster, check_runner, find_unreadable, program
from videoguard.config import ExecutionSection
from videoguard.errors import UnavailableError, UserError, refuse_all
from videoguard.progress import Progress, listening, tell

if TYPE_CHECKING:
    from prefect_dask.task_runners import DaskTaskRunner

_TELL_SECONDS = 0.5
_LOOKED_AT = 64
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class _Cluster:
    address: str
    runner: "DaskTaskRunner"
    errand: Errand


_cluster: ContextVar[_Cluster | None] = ContextVar("cluster", default=None)


@contextlib.contextmanager
def helped_by(execution: ExecutionSection) -> Iterator[None]:
    """Within the block, `submit_each` sends shards to the workers of the recipe's cluster, where it names one.

    Raises:
        UserError: the cluster cannot be used, with what each of its workers lacks.
    """
    check_runner(execution)
    if execution.runner == "threads":
        yield
        return
    check_cluster(execution, get_current_settings().api.url)
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError
    from prefect_dask.task_runners import DaskTaskRunner

    address = str(execution.scheduler)
    with DaskTaskRunner(address=address) as runner:
        cluster = _Cluster(address, runner, Errand(code=program(), topic=f"video-guard-{uuid.uuid4().hex}"))
        token = _cluster.set(cluster)
        try:
            with _hearing(cluster):
                yield
        except (FutureCancelledError, KilledWorker) as lost:
            raise UnavailableError(
                f"the cluster at {address}: {lost}; run again: what is stored is not made again"
            ) from None
        finally:
            _cluster.reset(token)


def has_workers() -> bool:
    """Whether `submit_each` sends shards to other machines here."""
    return _cluster.get() is not None


def submit_each(
    task: Task[..., Artifact],
    calls: Sequence[dict[str, Any]],
    *,
    reads: Callable[[dict[str, Any]], Sequence[Path]] = lambda call: (),
) -> PrefectFutureList[Artifact]:
    """Submit a task once for each set of arguments: to the cluster what is not stored yet, all else to this process.

    Args:
        task: its first parameter is the `place`, and it is marked by `for_workers`.
        calls: arguments by name, none of them a future.
        reads: the files that a call reads by their paths, which each worker has to see.

    Raises:
        UserError: a worker does not see such a file.
    """
    cluster = _cluster.get()
    if cluster is None:
        return PrefectFutureList([task.submit(**call) for call in calls])  # type: ignore[abstract]
    missing = [not _is_stored(task, call) for call in calls]
    _require_files(
        cluster, [file for call, is_missing in zip(calls, missing, strict=True) if is_missing for file in reads(call)]
    )
    # A worker keeps no results for Prefect: their folder is that of this machine.
    sent = task.with_options(cache_policy=NO_CACHE, persist_result=False)
    with _portable_context():
        futures: list[PrefectFuture[Artifact]] = [
            cluster.runner.submit(sent, _for_another_machine(call, cluster)) if is_missing else task.submit(**call)
            for call, is_missing in zip(calls, missing, strict=True)
        ]
    return PrefectFutureList(futures)  # type: ignore[abstract]


def for_workers(
    work: Callable[Concatenate[Workplace, Parameters], Result],
) -> Callable[Concatenate[Workplace, Parameters], Result]:
    """Let the function of a task run on a worker as well: its progress is told to the flow, its failures name the worker."""

    @wraps(work)
    def run(place: Workplace, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if place.errand is None:
            return work(place, *args, **kwargs)
        with _at_worker(place.errand):
            return work(place, *args, **kwargs)

    return run


@contextlib.contextmanager
def _at_worker(errand: Errand) -> Iterator[None]:
    from distributed import get_worker

    worker = get_worker()
    called = f"worker {worker.name} ({worker.address})"
    # One that came after the run had begun was not looked at.
    if errand.code != program():
        raise UserError(
            f"{called} has another code of video-guard: bring it to the same revision, start it again, and run again"
        )
    told: dict[tuple[str, str], float] = {}
    here = threading.get_ident()

    def pass_on(progress: Progress) -> None:
        # Another thread works for another shard, perhaps of another run.
        if threading.get_ident() != here:
            return
        part, now = (progress.step, progress.part), time.monotonic()
        if now - told.get(part, -_TELL_SECONDS) >= _TELL_SECONDS or progress.done == progress.of:
            told[part] = now
            worker.log_event(errand.topic, {"progress": asdict(progress)})

    try:
        with listening(pass_on):
            yield
    except UserError as refusal:
        raise UserError(f"{called}: {refusal}") from None
    except UnavailableError as fault:
        raise UnavailableError(f"{called}: {fault}") from None
    except Exception as fault:
        fault.add_note(f"on {called}")
        raise


@contextlib.contextmanager
def _hearing(cluster: _Cluster) -> Iterator[None]:
    """Tell here what the workers tell of their progress."""
    heard: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()

    def pass_on() -> None:
        while (progress := heard.get()) is not None:
            tell(progress)

    # Not in the thread that calls the handler, which is the client's own: a listener may wait for Prefect's server.
    teller = threading.Thread(target=copy_context().run, args=(pass_on,), daemon=True)
    teller.start()
    topic, client = cluster.errand.topic, cluster.runner.client
    client.subscribe_topic(  # type: ignore[no-untyped-call]
        topic, lambda event: heard.put(Progress(**event[1]["progress"]))
    )
    try:
        yield
    finally:
        heard.put(None)
        teller.join()


@flow
def _sender() -> None:
    """Stands for the flow of a run on the workers."""


@contextlib.contextmanager
def _portable_context() -> Iterator[None]:
    """Prefect sends the flow along with a task, and a worker cannot read one that a deployment has loaded from a file."""
    context = FlowRunContext.get()
    assert context is not None
    with FlowRunContext.model_construct(context.model_fields_set, **{**dict(context), "flow": _sender}):
        yield


def _is_stored(task: Task[..., Artifact], call: dict[str, Any]) -> bool:
    policy, place = task.cache_policy, call["place"]
    assert isinstance(policy, ByProvenance)
    assert policy.provenance is not None
    return place.find(policy.provenance(**call)) is not None


def _require_files(cluster: _Cluster, files: Sequence[Path]) -> None:
    """Refuse workers that do not see what they are to read; of many files some are looked at, evenly taken."""
    every = max(1, len(files) // _LOOKED_AT)
    sizes = {str(file.absolute()): file.stat().st_size for file in files[::every] if file.is_file()}
    if not sizes:
        return
    found = find_unreadable(cluster.runner.client, sizes)
    refuse_all(f"execution.address is {cluster.address}", (f"{worker}: {problem}" for worker, problem in found.items()))


def _for_another_machine(call: dict[str, Any], cluster: _Cluster) -> dict[str, Any]:
    """Arguments that mean the same in another working folder."""
    place: Workplace = call["place"]
    moved = {name: _absolute(value) if isinstance(value, BaseModel) else value for name, value in call.items()}
    return {**moved, "place": place.model_copy(update={"errand": cluster.errand})}


def _absolute(model: Model) -> Model:
    """The same settings with every relative path made absolute."""
    changes: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Path):
            changes[name] = value.absolute()
        elif isinstance(value, BaseModel):
            changes[name] = _absolute(value)
    return model.model_copy(update=changes)
