"""The servers of compose.yaml, by its own commands and variables, on a real PostgreSQL and a real S3 endpoint on loopback.

The containers are not seen here: hosts, ports and the S3 service are put in place of those of Docker's network.
"""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.cache_workspace import RECIPE

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECRETS = {
    "POSTGRES_PASSWORD": "pg:/@ secret%",
    "S3_ACCESS_KEY": "team",
    "S3_SECRET_KEY": "s3-secret",
    "PREFECT_AUTH": "team:prefect-secret",
    "MLFLOW_USER": "team",
    "MLFLOW_PASSWORD": "mlflow-secret",
    "MLFLOW_SECRET_KEY": "signs-sessions",
}
START_SECONDS = 120.0
# Enough for the training to go on while the servers are away.
EPOCHS, AWAY_SECONDS = 12, 5.0
Server = subprocess.Popen[bytes]


def fill(text: str, given: Mapping[str, str]) -> str:
    """Docker's interpolation: `${NAME:-default}`, and `${NAME:?message}`, which refuses what is absent or empty."""

    def value(found: "re.Match[str]") -> str:
        name, kind, rest = found.groups()
        if given.get(name):
            return given[name]
        if kind == ":?":
            raise KeyError(f"{name} {rest}")
        return str(rest)

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text)


def services(given: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(fill((CHECKOUT / "compose.yaml").read_text(), given))["services"]
    return found


def test_each_secret_is_asked_for_and_none_has_a_default():
    named = dict(
        line.split("=", 1) for line in (CHECKOUT / ".env.example").read_text().splitlines() if line and line[0] != "#"
    )
    assert {name for name, value in named.items() if not value} == SECRETS.keys()
    services(SECRETS)
    for name in SECRETS:
        with pytest.raises(KeyError, match=f"{name} is missing in .env"):
            services({**SECRETS, name: ""})


def test_each_service_is_pinned_checked_and_waits_for_what_it_needs():
    found = services(SECRETS)
    for name, service in found.items():
        assert re.search(r":[\w.-]*\d", service["image"]), name
        for other, condition in service.get("depends_on", {}).items():
            needs = condition["condition"]
            assert needs == "service_completed_successfully" or "healthcheck" in found[other], (name, other)
    for published in (port for service in found.values() for port in service.get("ports", ())):
        assert published.startswith("127.0.0.1:")


@dataclass(frozen=True)
class Team:
    prefect: str
    mlflow: str
    s3: str
    postgres: int
    client: Mapping[str, str]
    """The variables of a machine of the team."""
    begin: Callable[[ExitStack], None]
    """Starts both servers, until the stack is closed."""
    running: ExitStack
    """Holds both servers."""

    def be_away(self, seconds: float) -> None:
        """Take both servers away, and start them again where they were."""
        self.running.close()
        time.sleep(seconds)
        self.begin(self.running)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_postgres() -> Iterator[int]:
    """PostgreSQL as its image starts it: a password for every connection, and the databases of team/databases.sql."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not versions:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    programs = versions[-1].parent
    # PostgreSQL refuses root.
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="video-guard-pg-"))
    try:
        password = folder / "password"
        password.write_text(SECRETS["POSTGRES_PASSWORD"])
        if other:
            for path in (folder, password):
                shutil.chown(path, "postgres")
        port, data = free_port(), folder / "data"
        how = ["--username=videoguard", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
        run([*other, str(programs / "initdb"), f"--pgdata={data}", *how])
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        control = [*other, str(programs / "pg_ctl"), "--pgdata", str(data), "--wait"]
        run([*control, "--log", str(folder / "log"), "--options", options, "start"])
        try:
            run(
                [str(programs / "psql"), "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f", str(CHECKOUT / "team/databases.sql")],
                {**os.environ, **postgres_variables(port), "PGDATABASE": "postgres"},
            )
            yield port
        finally:
            run([*control, "--mode", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_variables(port: int) -> dict[str, str]:
    return {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": "videoguard",
        "PGPASSWORD": SECRETS["POSTGRES_PASSWORD"],
    }


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    ended = subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def team(tmp_path_factory) -> Iterator[Team]:
    """Prefect and MLflow by the commands and variables of compose.yaml, in a folder with what their image holds."""
    from moto.server import ThreadedMotoServer

    for package in ("boto3", "flask_wtf", "psycopg2"):
        pytest.importorskip(package, reason=f"{package} of the extra team is not installed")
    folder: Path = tmp_path_factory.mktemp("servers")
    for name in ("mlflow_auth.ini", "make_bucket.py"):
        shutil.copy(CHECKOUT / "team" / name, folder)
    with ExitStack() as held:
        postgres = held.enter_context(running_postgres())
        store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        store.start()
        held.callback(store.stop)
        s3 = "http://{}:{}".format(*store.get_host_and_port())
        prefect, mlflow = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        places = {"http://s3:9000": s3, "http://prefect:4200": prefect, "http://mlflow:5000": mlflow}
        hosts = mlflow.removeprefix("http://")
        found = services({**SECRETS, "MLFLOW_HOSTS": hosts, "PREFECT_ADDRESS": prefect})

        def variables(name: str) -> dict[str, str]:
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "MLFLOW_", "AWS_"))}
            own = found[name]["environment"]
            if "PGHOST" in own:
                own = {**own, **postgres_variables(postgres)}
            own = {key: _at(value, places) for key, value in own.items()}
            return {**kept, "HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"), **own}

        def begin(running: ExitStack) -> None:
            begun = {}
            for name, address in (("prefect", prefect), ("mlflow", mlflow)):
                port = address.rpartition(":")[2]
                command = [
                    part.replace("0.0.0.0", "127.0.0.1").replace("4200", port).replace("--port=5000", f"--port={port}")
                    for part in found[name]["command"]
                ]
                begun[name] = running.enter_context(serving(command, folder, variables(name), folder / f"{name}.log"))
            wait_for(f"{prefect}/api/health", begun["prefect"], folder / "prefect.log")
            wait_for(f"{mlflow}/health", begun["mlflow"], folder / "mlflow.log")

        run_service(found["bucket"]["command"], folder, variables("bucket"))
        running = held.enter_context(ExitStack())
        begin(running)
        client = {key: _at(value, places) for key, value in found["worker"]["environment"].items()}
        yield Team(prefect, mlflow, s3, postgres, client, begin, running)


def _at(value: str, places: Mapping[str, str]) -> str:
    for place, other in places.items():
        value = value.replace(place, other)
    return value


def run_service(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    # Twice, as a second `docker compose up` does.
    for _ in range(2):
        subprocess.run([str(BIN / command[0]), *command[1:]], cwd=folder, env=environment, check=True)


@contextmanager
def serving(
    command: list[str], folder: Path, environment: Mapping[str, str], log: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("ab") as output:
        server = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=folder,
            env={**environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield server
        finally:
            server.terminate()
            try:
                server.wait(20.0)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def wait_for(url: str, server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert server.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.3)


def ask(url: str, login: str | None, question: object = None) -> Any:
    request = urllib.request.Request(url, None if question is None else json.dumps(question).encode())
    request.add_header("Content-Type", "application/json")
    if login is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def finished(team, tmp_path_factory) -> dict[str, Any]:
    """A small run of a machine of the team: what the recipe lacks of the team, its environment names.

    Both servers go away while it trains, and come back.
    """
    folder: Path = tmp_path_factory.mktemp("machine")
    (folder / "small.yaml").write_text(RECIPE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", "AWS_"))}
    running = subprocess.Popen(
        [str(BIN / "video-guard"), "run", "small.yaml", "--json", "--set", f"training.epochs={EPOCHS}"],
        cwd=folder,
        env={**kept, "HOME": str(folder / "home"), **team.client},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while running.poll() is None and "training" not in running_steps(team):
            time.sleep(0.2)
        team.be_away(AWAY_SECONDS)
        stdout, stderr = running.communicate(timeout=900)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 0, stderr
    return {**json.loads(stdout), "folder": folder}


def running_steps(team) -> set[str]:
    runs = ask(f"{team.prefect}/api/task_runs/filter", SECRETS["PREFECT_AUTH"], {})
    return {run["name"].rpartition("-")[0] for run in runs if run["state_type"] == "RUNNING"}


@pytest.mark.parametrize("login", [None, "team:wrong", "team:"])
def test_both_servers_refuse_who_does_not_know_the_password(team, login):
    for url, question in (
        (f"{team.prefect}/api/flow_runs/filter", {}),
        (f"{team.mlflow}/api/2.0/mlflow/experiments/search", {"max_results": 10}),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(url, login, question)
        assert refused.value.code == 401


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"PREFECT_API_AUTH_STRING": "team:wrong"},
            "Prefect's server at {prefect}/api does not take the login (status 401)",
        ),
        ({"PREFECT_API_AUTH_STRING": ""}, "Prefect's server at {prefect}/api asks for a login (status 401)"),
        ({"MLFLOW_TRACKING_PASSWORD": "wrong"}, "MLflow at {mlflow} does not take the login (status 401)"),
        ({"MLFLOW_TRACKING_USERNAME": ""}, "MLflow at {mlflow} asks for a login (status 401)"),
    ],
)
def test_a_machine_without_the_login_is_told_before_it_works(team, tmp_path, changes, said):
    (tmp_path / "small.yaml").write_text(RECIPE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_", "AWS_"))}
    ended = subprocess.run(
        [str(BIN / "video-guard"), "run", "small.yaml"],
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path / "home"), **team.client, **changes},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2, ended.stderr
    assert f"error: {said.format(prefect=team.prefect, mlflow=team.mlflow)}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


def test_prefect_and_mlflow_of_the_team_have_the_run(team, finished):
    # Those that were refused for their login are there too.
    (flow_run,) = [
        run
        for run in ask(f"{team.prefect}/api/flow_runs/filter", SECRETS["PREFECT_AUTH"], {})
        if run["state_type"] == "COMPLETED"
    ]
    within = {"flow_runs": {"id": {"any_": [flow_run["id"]]}}}
    steps = ask(f"{team.prefect}/api/task_runs/filter", SECRETS["PREFECT_AUTH"], within)
    assert {step["state_type"] for step in steps} == {"COMPLETED"}
    assert "publish" in {step["name"].rpartition("-")[0] for step in steps}
    assert finished["tracking_uri"] == team.mlflow
    login = f"{SECRETS['MLFLOW_USER']}:{SECRETS['MLFLOW_PASSWORD']}"
    told = ask(f"{team.mlflow}/api/2.0/mlflow/runs/get?run_id={finished['run_id']}", login)
    assert told["run"]["info"]["status"] == "FINISHED"
    version = ask(f"{team.mlflow}/api/2.0/mlflow/model-versions/get?name=video-guard&version=1", login)
    trained = ask(f"{team.mlflow}/api/2.0/mlflow/runs/get?run_id={version['model_version']['run_id']}", login)
    tags = {tag["key"]: tag["value"] for tag in trained["run"]["data"]["tags"]}
    # The training is a run within that of the flow.
    assert tags["mlflow.parentRunId"] == finished["run_id"]
    # What was measured while nobody answered is there too.
    (log,) = (finished["folder"] / ".video-guard/artifacts/training").glob("*/log.jsonl")
    logged = [point["step"] for point in map(json.loads, log.read_text().splitlines()) if "train_loss" in point]
    asked = f"run_id={trained['run']['info']['run_id']}&metric_key=train_loss"
    history = ask(f"{team.mlflow}/api/2.0/mlflow/metrics/get-history?{asked}", login)["metrics"]
    assert sorted(int(point["step"]) for point in history) == logged
    assert len(logged) >= EPOCHS


def test_postgres_and_s3_keep_what_was_recorded_and_the_machine_only_its_cache(team, finished):
    import boto3
    import psycopg2

    counts = {}
    for database, table in (
        ("prefect", "task_run"),
        ("mlflow", "runs"),
        ("mlflow", "model_versions"),
        ("mlflow_auth", "users"),
    ):
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=team.postgres,
            user="videoguard",
            password=SECRETS["POSTGRES_PASSWORD"],
            dbname=database,
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            (counts[table],) = cursor.fetchone() or (0,)
        connection.close()
    assert counts["task_run"] >= 15
    assert (counts["model_versions"], counts["users"]) == (1, 1)
    assert counts["runs"] >= 1

    s3 = boto3.client("s3", endpoint_url=team.s3, aws_access_key_id="team", aws_secret_access_key="s3-secret")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="video-guard")
    stored = [each["Key"] for page in pages for each in page["Contents"]]
    assert any(key.endswith(Path(finished["workbook"]).name) for key in stored if key.startswith("mlflow/"))
    made = (finished["folder"] / ".video-guard/artifacts").glob("[!.]*/[!.]*/artifact.json")
    records = {f"artifacts/{path.parent.parent.name}/{path.parent.name}/artifact.json" for path in made}
    assert records == {key for key in stored if key.startswith("artifacts/") and key.endswith("/artifact.json")}

    databases = [path for path in finished["folder"].rglob("*") if path.is_file() and path.read_bytes()[:6] == b"SQLite"]
    kept = {path.relative_to(finished["folder"]).as_posix() for path in databases}
    assert kept == {".video-guard/rows.db", ".video-guard/scores.db"}
