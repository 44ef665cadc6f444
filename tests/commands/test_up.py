"""What `video-guard up` rests on: programs on a leash, the record of what is up, ports, and Prefect's profile."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import servers
from commands.standing import Standing, find_standing, only_one, write_standing
from commands.supervision import started, wait_until
from videoguard.errors import UnavailableError, UserError

# A program that starts another one in a session of its own, which waits until it is ended, and tells both numbers.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
print(f"started {os.getpid()} {child.pid}", flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(7)
"""
HOLDER = """
import os, sys
from pathlib import Path
from commands.supervision import started, wait_until
with started("trial", [sys.executable, "-c", sys.argv[1], "300"], Path("trial.log"), os.environ) as program:
    wait_until(lambda: "started" in program.log.read_text(), "the trial", [program], 60.0)
    print("held", flush=True)
    sys.stdin.read()
"""


def told(log: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", log.read_text())]


def runs(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_with_the_block_ends_all_that_a_program_started(tmp_path):
    log = tmp_path / "logs/trial.log"
    with started("trial", [sys.executable, "-c", PARENT, "300"], log, os.environ) as program:
        wait_until(lambda: "started" in log.read_text(), "the trial", [program], 60.0)
        assert all(map(runs, told(log)))
    assert len(told(log)) == 2
    assert not any(map(runs, told(log)))


def test_a_killed_holder_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, PARENT],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    (leash,) = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    ended = os.pidfd_open(int(leash))
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    # The leash ends last.
    assert select.select([ended], [], [], 60.0)[0]
    assert not any(map(runs, told(tmp_path / "trial.log")))


def test_a_program_that_ends_is_told_with_its_log_and_what_it_started_ends_too(tmp_path):
    log = tmp_path / "trial.log"
    with started("trial", [sys.executable, "-c", PARENT, "0"], log, os.environ) as program:
        with pytest.raises(UnavailableError, match=r"^trial ended with status 7; the end of .*trial.log:\n  started \d+"):
            wait_until(lambda: False, "the trial", [program], 60.0)
        assert not any(map(runs, told(log)))


def test_the_log_of_the_start_before_is_kept(tmp_path):
    log = tmp_path / "trial.log"
    for text in ("first", "second"):
        with started("trial", [sys.executable, "-c", f"print('{text}')"], log, os.environ) as program:
            program.process.wait()
    assert log.read_text() == "second\n"
    assert log.with_name("trial.log.1").read_text() == "first\n"


def standing() -> Standing:
    addresses = {"prefect": "http://127.0.0.1:4200", "mlflow": "http://127.0.0.1:5000"}
    return Standing(pid=os.getpid(), since=datetime(2026, 1, 2, tzinfo=UTC), **addresses)


def test_only_one_is_up_in_a_folder_and_is_found(tmp_path):
    assert find_standing(tmp_path) is None
    with only_one(tmp_path) as alone, only_one(tmp_path) as second:
        assert (alone, second) == (True, False)
        write_standing(standing(), tmp_path)
        found = find_standing(tmp_path)
        assert found is not None
        assert found.api == "http://127.0.0.1:4200/api"
    assert find_standing(tmp_path) is None


def test_the_record_of_a_killed_one_counts_for_nothing(tmp_path):
    with only_one(tmp_path):
        write_standing(standing(), tmp_path)
        left = (tmp_path / "up.json").read_text()
    # As after a kill: the record, with the number of a process that runs, and a lock that nobody holds.
    (tmp_path / "up.json").write_text(left)
    assert find_standing(tmp_path) is None
    with only_one(tmp_path) as alone:
        assert alone


def test_a_wanted_port_that_is_taken_is_refused_and_a_usual_one_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"^--mlflow-port is {port}, taken by another program: end that one, or leave"):
            servers.choose_port(port, 5000, "--mlflow-port")
        assert servers.choose_port(None, port, "--mlflow-port") != port
    assert servers.choose_port(port, 5000, "--mlflow-port") == port
    assert servers.choose_port(None, port, "--mlflow-port") == port


def test_the_profile_is_written_beside_those_of_the_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    profiles = Path(".video-guard/prefect/profiles.toml")
    profiles.parent.mkdir(parents=True)
    profiles.write_text('active = "team"\n[profiles.team]\nPREFECT_API_URL = "http://team/api"\nPREFECT_DEBUG_MODE = true\n')
    servers.write_profile("http://127.0.0.1:1234/api")
    assert tomllib.loads(profiles.read_text()) == {
        "active": "video-guard",
        "profiles": {
            "team": {"PREFECT_API_URL": "http://team/api", "PREFECT_DEBUG_MODE": True},
            "video-guard": {"PREFECT_API_URL": "http://127.0.0.1:1234/api"},
        },
    }


def test_what_would_lead_prefect_elsewhere_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(UserError, match=r"prefect.yaml is not in .*: run `video-guard up` in the folder of the checkout"):
        servers.refuse_elsewhere()
    Path("prefect.yaml").write_text("deployments: []\n")
    servers.refuse_elsewhere()
    monkeypatch.setenv("VIDEO_GUARD_TRACKING_URI", "http://team:5000")
    with pytest.raises(UserError, match=r"VIDEO_GUARD_TRACKING_URI is http://team:5000: .*unset VIDEO_GUARD_TRACKING_URI"):
        servers.refuse_elsewhere()
    monkeypatch.delenv("VIDEO_GUARD_TRACKING_URI")
    Path("prefect.toml").write_text('[api]\nurl = "http://team/api"\n')
    with pytest.raises(UserError, match=r"api.url is http://team/api: .* remove the line"):
        servers.refuse_elsewhere()
    monkeypatch.setenv("PREFECT_API_URL", "http://other/api")
    with pytest.raises(UserError, match=r"PREFECT_API_URL is http://other/api: .*unset PREFECT_API_URL"):
        servers.refuse_elsewhere()
