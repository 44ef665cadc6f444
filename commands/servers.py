"""Prefect's and MLflow's servers, the worker and the deployments, as `video-guard up` starts them on this machine alone."""

import json
import os
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from commands.standing import LOGS, STATE, Service, Standing
from commands.supervision import Program, started, tail, wait_until
from videoguard.config.places import TRACKING_VARIABLE, own_database
from videoguard.errors import UnavailableError, UserError

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
PREFECT_TRIES = 7
"""More tries of a call that Prefect's server does not answer, after 2, 4, 8 … 128 seconds: it may be away for minutes."""
POOL = "video-guard"
LOOPBACK = "127.0.0.1"
_SETTINGS = Path("prefect.toml")
_DEPLOYMENTS = Path("prefect.yaml")
_PROFILES = STATE / "prefect" / "profiles.toml"
_PROFILE = "video-guard"
_ANSWER_SECONDS = 2.0
_START_SECONDS = 180.0
# One process of it is enough for a few users; a log of every request would hide what goes wrong.
_MLFLOW_OPTIONS = ("--workers", "1", "--uvicorn-opts", "--no-access-log")
_UNFINISHED = ("RUNNING", "PENDING", "CANCELLING")
_LEFT = "what ran it was ended with `video-guard up`; order it again: it goes on from what is stored"


@dataclass(frozen=True)
class Up:
    """What has been started."""

    programs: tuple[Program, ...]
    services: tuple[Service, ...]
    deployments: tuple[str, ...]


def refuse_elsewhere() -> None:
    """Return where this folder has deployments, and its `prefect` commands would go to the server that `up` starts.

    Prefect asks its environment first, then prefect.toml, then the profile, which is where `up` writes its address.

    Raises:
        UserError: the folder is another one, or another server is named.
    """
    if not _DEPLOYMENTS.is_file():
        raise UserError(f"{_DEPLOYMENTS} is not in {Path.cwd()}: run `video-guard up` in the folder of the checkout")
    if url := os.environ.get("PREFECT_API_URL"):
        raise UserError(
            f"PREFECT_API_URL is {url}: `prefect` would not use the server started here; `unset PREFECT_API_URL` first"
        )
    if uri := os.environ.get(TRACKING_VARIABLE):
        raise UserError(
            f"{TRACKING_VARIABLE} is {uri}: the MLflow started here would not show the runs; "
            f"`unset {TRACKING_VARIABLE}` first"
        )
    if url := configured_url():
        raise UserError(
            f"{_SETTINGS}: api.url is {url}: `prefect` would not use the server started here; remove the line, or go on "
            "with that server: prefect worker start --pool video-guard"
        )


def configured_url() -> str | None:
    """The Prefect server that prefect.toml names."""
    url = _toml(_SETTINGS).get("api", {}).get("url")
    return url if isinstance(url, str) else None


def choose_port(wanted: int | None, usual: int, option: str) -> int:
    """The port that is wanted; else the usual one where it is free; else any that is.

    Raises:
        UserError: the wanted port is taken.
    """
    if wanted is not None:
        if not _is_free(wanted):
            raise UserError(f"{option} is {wanted}, taken by another program: end that one, or leave {option} out")
        return wanted
    if _is_free(usual):
        return usual
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def start_servers(held: ExitStack, prefect_port: int, mlflow_port: int, tell: Callable[[str], None]) -> Up:
    """Start everything; it is ended in reverse when `held` closes.

    Args:
        held: closes what was started, also where this raises.
        prefect_port: free port of Prefect's server.
        mlflow_port: free port of MLflow's.
        tell: called with what is waited for.

    Raises:
        UnavailableError: a program ended or did not answer in time, or the deployments were refused.
    """
    prefect, mlflow = f"http://{LOOPBACK}:{prefect_port}", f"http://{LOOPBACK}:{mlflow_port}"
    api = f"{prefect}/api"
    environment = _environment(api, mlflow)
    write_profile(api)

    def start(name: str, *command: str) -> Program:
        log = LOGS / f"{name}.log"
        return held.enter_context(started(name, [sys.executable, "-m", *command], log, environment))

    tell("starting the servers of Prefect and MLflow")
    listen = ("--host", LOOPBACK, "--port")
    server = start("prefect", "prefect", "server", "start", *listen, str(prefect_port))
    database = ("--backend-store-uri", own_database(STATE))
    files = ("--artifacts-destination", (STATE / "mlartifacts").absolute().as_uri())
    pages = start("mlflow", "mlflow", "server", *listen, str(mlflow_port), *database, *files, *_MLFLOW_OPTIONS)
    wait_until(partial(answers, f"{api}/health"), "the Prefect server", [pages, server], _START_SECONDS)
    wait_until(partial(answers, f"{mlflow}/health"), "the MLflow server", [server, pages], _START_SECONDS)

    _close_left_runs(api)
    # Between the end of the worker and that of the server.
    held.callback(_close_left_runs, api)
    tell("starting the worker")
    worker = start("worker", "prefect", "worker", "start", "--pool", POOL, "--type", "process", "--name", _PROFILE)
    programs = (server, pages, worker)
    wait_until(partial(_works, api), "the worker", programs, _START_SECONDS)

    tell("making the deployments of prefect.yaml")
    _deploy(environment)
    services = (
        _service(server, address=prefect, health=f"{api}/health"),
        _service(pages, address=mlflow, health=f"{mlflow}/health"),
        _service(worker),
    )
    return Up(programs, services, tuple(deployments(api)))


def deployments(api: str) -> list[str]:
    """`flow/deployment` of every deployment of the server, by name."""
    flows = {flow["id"]: flow["name"] for flow in _ask(f"{api}/flows/filter", {})}
    return sorted(f"{flows[each['flow_id']]}/{each['name']}" for each in _ask(f"{api}/deployments/filter", {}))


def answers(url: str) -> bool:
    """Whether a server says that it is well."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310  a server on this machine
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def is_well(service: Service, standing: Standing) -> bool:
    """Whether a service does its work: a server answers, the worker has told the server so lately."""
    return answers(service.health) if service.health else _works(standing.api)


def write_profile(api: str) -> None:
    """Let plain `prefect` commands in this folder use a server, by the profile that prefect.toml leads them to."""
    profiles: dict[str, Mapping[str, object]] = dict(_toml(_PROFILES).get("profiles", {}))
    profiles[_PROFILE] = {**profiles.get(_PROFILE, {}), "PREFECT_API_URL": api}
    lines = [f"active = {json.dumps(_PROFILE)}"]
    for name, settings in profiles.items():
        lines += ["", f"[profiles.{json.dumps(name)}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]
    _PROFILES.parent.mkdir(parents=True, exist_ok=True)
    draft = _PROFILES.with_suffix(".new")
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(_PROFILES)


def _environment(api: str, mlflow: str) -> Mapping[str, str]:
    return {
        **os.environ,
        "PREFECT_API_URL": api,
        # Where a flow run finds the pages that it links to.
        "VIDEO_GUARD_MLFLOW": mlflow,
        "PREFECT_HOME": str((STATE / "prefect").absolute()),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The worker hands it on to the flow runs that it starts.
        "PREFECT_CLIENT_MAX_RETRIES": os.environ.get("PREFECT_CLIENT_MAX_RETRIES", str(PREFECT_TRIES)),
        "MPLCONFIGDIR": str((STATE / "matplotlib").absolute()),
        # Of MLflow's own background jobs none is used here, and each would be a process.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONUNBUFFERED": "1",
    }


def _service(program: Program, address: str | None = None, health: str | None = None) -> Service:
    return Service(name=program.name, pid=program.process.pid, log=program.log, address=address, health=health)


def _close_left_runs(api: str) -> None:
    """Mark as crashed what still counts as running: no worker runs it, and it would hold back what waits for it."""
    left = {"flow_runs": {"state": {"type": {"any_": _UNFINISHED}}}, "work_pools": {"name": {"any_": [POOL]}}}
    state = {"type": "CRASHED", "name": "Crashed", "message": _LEFT}
    # A server that has died leaves it to the next start.
    with suppress(UnavailableError):
        for run in _ask(f"{api}/flow_runs/filter", left):
            _ask(f"{api}/flow_runs/{run['id']}/set_state", {"state": state, "force": True})


def _works(api: str) -> bool:
    try:
        return any(worker["status"] == "ONLINE" for worker in _ask(f"{api}/work_pools/{POOL}/workers/filter", {}))
    except UnavailableError:
        return False


def _deploy(environment: Mapping[str, str]) -> None:
    log = LOGS / "deploy.log"
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    with log.open("wb") as output:
        ended = subprocess.run(  # noqa: S603  the program's own
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=dict(environment), check=False
        )
    if ended.returncode != 0:
        raise UnavailableError(f"the deployments of {_DEPLOYMENTS} were not made; the end of {log}:\n{tail(log)}")


def _ask(url: str, question: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
    request = urllib.request.Request(url, json.dumps(question).encode(), {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10 * _ANSWER_SECONDS) as answer:  # noqa: S310  a server on this machine
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as fault:
        raise UnavailableError(f"{url}: the Prefect server does not answer: {fault}") from None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a connection that has just been closed does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _toml(file: Path) -> Mapping[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
