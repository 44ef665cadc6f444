"""`video-guard up`, `status` and `down`: the servers, the worker and the deployments of this folder."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from commands.servers import (
    MLFLOW_PORT,
    PREFECT_PORT,
    Up,
    choose_port,
    deployments,
    is_well,
    refuse_elsewhere,
    start_servers,
)
from commands.standing import LOGS, Standing, find_standing, only_one, write_standing
from commands.supervision import tail
from videoguard.errors import UnavailableError, UserError

_POLL_SECONDS = 0.5
_DOWN_SECONDS = 120.0
# MLflow would first show its pages for prompts and traces.
_MLFLOW_RUNS = "/#/experiments?workflowType=machine_learning"
_UP_LOG = LOGS / "up.log"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PrefectPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help=f"Port of Prefect's server; {PREFECT_PORT}, or a free one where that is taken."),
]
MlflowPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help=f"Port of MLflow's server; {MLFLOW_PORT}, or a free one where that is taken."),
]


def up(
    prefect_port: PrefectPort = None,
    mlflow_port: MlflowPort = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once everything is up; `video-guard down` ends it.")
    ] = False,
) -> None:
    """Start Prefect's server, MLflow's server, a worker and the deployments of prefect.yaml, for this machine alone.

    Ctrl-C ends all of it; what was recorded stays in .video-guard. The logs are in .video-guard/logs.

    Exit status: 0 ended as wanted, 1 a program could not be started or died, 2 the input was refused.

    Example: video-guard up --detach
    """
    console = Console()
    if (standing := find_standing()) is not None:
        _tell_of_standing(console, standing, prefect_port, mlflow_port)
        return
    refuse_elsewhere()
    ports = (
        choose_port(prefect_port, PREFECT_PORT, "--prefect-port"),
        choose_port(mlflow_port, MLFLOW_PORT, "--mlflow-port"),
    )
    if detach:
        _print_screen(console, _detach(console, ports), detached=True)
    else:
        _hold(console, ports)


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Tell what `video-guard up` runs, where, and whether it is well.

    Exit status: 0 all is well, 1 something is not, or nothing is up.

    Example: video-guard status --json
    """
    standing = find_standing()
    well = {} if standing is None else {service.name: is_well(service, standing) for service in standing.services}
    fine = standing is not None and standing.ready and all(well.values())
    if as_json:
        typer.echo(json.dumps(_facts(standing, well, fine), indent=1))
    elif standing is None:
        typer.echo("Nothing is up here: `video-guard up` starts Prefect, MLflow and a worker.")
    else:
        _print_status(Console(), standing, well)
    if not fine:
        raise typer.Exit(1)


def down() -> None:
    """End what `video-guard up` runs in this folder; what was recorded stays.

    Flow runs under way are ended too and marked as crashed; the next run goes on from what is stored.

    Example: video-guard down
    """
    standing = find_standing()
    if standing is None:
        typer.echo("Nothing is up here.")
        return
    # Through a handle of the process: its number may go to another one meanwhile.
    try:
        handle = os.pidfd_open(standing.pid)
    except ProcessLookupError:
        typer.echo("It has just ended.")
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], _DOWN_SECONDS)
    finally:
        os.close(handle)
    if not ended:
        raise UnavailableError(
            f"process {standing.pid} has not ended within {_DOWN_SECONDS:.0f} s; `kill -9 {standing.pid}` ends all"
        )
    typer.echo("All ended. What was recorded is in .video-guard.")


def _hold(console: Console, ports: tuple[int, int]) -> None:
    """Start everything, and hold it until a signal comes or a part of it ends."""
    with only_one() as alone:
        if not alone:
            raise UserError("another `video-guard up` starts in this folder at this moment: see `video-guard status`")
        standing = Standing(
            pid=os.getpid(),
            since=datetime.now(UTC),
            prefect=f"http://127.0.0.1:{ports[0]}",
            mlflow=f"http://127.0.0.1:{ports[1]}",
        )
        write_standing(standing)
        with ExitStack() as held:
            # Outermost: no second Ctrl-C leaves half of the programs behind.
            ending = held.enter_context(_deaf_to_more_signals())
            with console.status("starting") as waiting:
                try:
                    started = start_servers(held, *ports, tell=waiting.update)
                except KeyboardInterrupt:
                    console.print("Interrupted.")
                    raise typer.Exit(130) from None
            standing = standing.model_copy(update={"ready": True, "services": started.services})
            write_standing(standing)
            _print_screen(console, standing, started.deployments)
            ending.armed = True
            _watch(started, ending)
            console.print("Ending …")
    console.print("All ended. What was recorded is in .video-guard.")


class _Ending(threading.Event):
    """Set by the first signal that asks to end."""

    armed = False
    """Whether there is someone who waits for it; else the signal interrupts what is being started."""


@contextmanager
def _deaf_to_more_signals() -> Iterator[_Ending]:
    ending = _Ending()

    def note(number: int, frame: object) -> None:
        first = not ending.is_set()
        ending.set()
        if first and not ending.armed:
            raise KeyboardInterrupt

    before = {sign: signal.signal(sign, note) for sign in _ENDING}
    try:
        yield ending
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


def _watch(started: Up, ending: threading.Event) -> None:
    while not ending.wait(_POLL_SECONDS):
        for program in started.programs:
            program.refuse_ended()


def _detach(console: Console, ports: tuple[int, int]) -> Standing:
    """Let a process of its own hold everything; return once that is up."""
    LOGS.mkdir(parents=True, exist_ok=True)
    options = ("--prefect-port", str(ports[0]), "--mlflow-port", str(ports[1]))
    with _UP_LOG.open("wb") as log:
        holder = subprocess.Popen(  # noqa: S603  the program's own module
            [sys.executable, "-m", "commands.main", "up", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with console.status(f"starting; the logs are in {LOGS}"):
            while holder.poll() is None:
                standing = find_standing()
                if standing is not None and standing.pid == holder.pid and standing.ready:
                    return standing
                time.sleep(_POLL_SECONDS / 2)
    except KeyboardInterrupt:
        holder.terminate()
        holder.wait()
        raise typer.Exit(130) from None
    raise UnavailableError(f"it did not start (status {holder.returncode}):\n{tail(_UP_LOG)}")


def _tell_of_standing(console: Console, standing: Standing, prefect_port: int | None, mlflow_port: int | None) -> None:
    for option, port, address in (
        ("--prefect-port", prefect_port, standing.prefect),
        ("--mlflow-port", mlflow_port, standing.mlflow),
    ):
        if port is not None and not address.endswith(f":{port}"):
            raise UserError(f"{option} is {port}, and it is up at {address} already: `video-guard down` first")
    if not standing.ready:
        console.print(f"It starts already, in process {standing.pid}: see `video-guard status`.", highlight=False)
        return
    console.print(f"It is up already, since {_when(standing)}.\n", highlight=False)
    _print_screen(console, standing, detached=True)


def _print_screen(
    console: Console, standing: Standing, named: Sequence[str] | None = None, *, detached: bool = False
) -> None:
    """Say what to open, and what to type next."""
    known = deployments(standing.api) if named is None else named
    lines = [
        "Open",
        f"  Prefect   {standing.prefect}   flow runs, tasks, deployments",
        f"  MLflow    {standing.mlflow}{_MLFLOW_RUNS}",
        "            settings, curves, scores and workbook of each run; models",
        "",
        "Then, in this folder (another terminal, `source .venv/bin/activate`)" if not detached else "Then, in this folder",
        *(f"  prefect deployment run {name} --watch" for name in known),
        "  video-guard status",
        "",
        f"Logs in {LOGS}. " + ("`video-guard down` ends all of it." if detached else "Ctrl-C ends all of it."),
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_status(console: Console, standing: Standing, well: dict[str, bool]) -> None:
    console.print(
        f"{'Up' if standing.ready else 'Starting'} since {_when(standing)}, process {standing.pid}", highlight=False
    )
    table = Table("service", "state", "process", "address", "log", box=None, pad_edge=False)
    for service in standing.services:
        health = "[green]well[/green]" if well[service.name] else "[red]does not answer[/red]"
        table.add_row(service.name, health, str(service.pid), service.address or "", str(service.log))
    if standing.services:
        console.print(table)
    if well.get("prefect"):
        console.print("deployments: " + ", ".join(deployments(standing.api)), highlight=False, soft_wrap=True)


def _facts(standing: Standing | None, well: dict[str, bool], fine: bool) -> dict[str, object]:
    if standing is None:
        return {"up": False, "well": False, "services": []}
    services = [{**service.model_dump(mode="json"), "well": well[service.name]} for service in standing.services]
    named = deployments(standing.api) if well.get("prefect") else []
    facts = standing.model_dump(mode="json", exclude={"services"})
    return {"up": True, "well": fine, **facts, "services": services, "deployments": named}


def _when(standing: Standing) -> str:
    return standing.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
