"""Child processes that answer, talk too much, refuse, crash, hang and outlive their parents."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import wait_until
from videoguard.errors import UnavailableError, UserError
from videoguard.subprocesses import ProcessFailedError, call, keeping_process


@pytest.fixture(autouse=True)
def child_module(monkeypatch):
    """Let this process and its children import the module `child`."""
    folder = str(Path(__file__).parent)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", folder)


def ask(deed: str, on_event: Callable[[dict[str, object]], None] | None = None, timeout_s: float = 60.0, **wanted):
    from child import Done, Wanted  # type: ignore[import-not-found]

    return call("child", Wanted(deed=deed, **wanted), Done, threads=3, timeout_s=timeout_s, on_event=on_event)


def alive(pids: Iterable[int]) -> list[int]:
    """Those of the processes that still run; a zombie does not."""
    return [pid for pid in pids if _state(pid) not in {"", "Z", "X"}]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def pids_in(folder: Path) -> list[int]:
    return [int(file.name) for file in folder.iterdir()]


def test_a_reply_comes_back_and_the_threads_are_pinned():
    text = "squat – «good» 🏋️\n\x1e\x00"
    reply = ask("count", text=text)
    assert (reply.text, reply.threads) == (text, "3")


def test_events_come_in_order_before_the_reply():
    events: list[dict[str, object]] = []
    ask("count", numbers=list(range(500)), on_event=events.append)
    assert events == [{"number": number} for number in range(500)]


def test_what_libraries_print_does_not_break_the_protocol():
    events: list[dict[str, object]] = []
    reply = ask("chatter", text="done", numbers=[1, 2, 3], on_event=events.append)
    assert events == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert reply.text == "done"


def test_a_refusal_crosses_as_a_user_error():
    with pytest.raises(UserError) as refused:
        ask("refuse", text="manifest list.json: 2 problems\n  - one\n  - two")
    assert str(refused.value) == "manifest list.json: 2 problems\n  - one\n  - two"


def test_a_service_that_does_not_answer_crosses_as_such():
    with pytest.raises(UnavailableError) as fault:
        ask("miss", text="MLflow does not answer")
    assert str(fault.value) == "MLflow does not answer"


def test_a_crash_tells_the_end_of_the_output():
    with pytest.raises(ProcessFailedError) as failed:
        ask("crash", text="by hand")
    lines = str(failed.value).splitlines()
    assert lines[0] == "child ended with status 1 and without a reply"
    assert lines[-1] == "ZeroDivisionError: by hand"
    assert "line 99" in lines
    assert "line 0" not in lines


def test_an_exit_without_a_reply_is_a_failure():
    with pytest.raises(ProcessFailedError) as failed:
        ask("exit")
    assert str(failed.value).splitlines() == ["child ended with status 3 and without a reply", "bye"]


def test_a_module_that_does_not_exist_is_a_failure():
    from child import Done, Wanted

    # More than a pipe holds, so that the child is gone before all of it is written.
    wanted = Wanted(deed="count", text="x" * 1_000_000)
    with pytest.raises(ProcessFailedError, match="No module named 'no_such_module'"):
        call("no_such_module", wanted, Done, threads=1, timeout_s=60.0)


def test_a_child_may_fork_workers():
    """A forked process closes standard input, which a thread of the child reads all the time."""
    events: list[dict[str, object]] = []
    ask("fork", numbers=[1, 2, 3], timeout_s=60.0, on_event=events.append)
    assert events == [{"sum": 6}]


def test_a_kill_is_named():
    with pytest.raises(ProcessFailedError, match=r"^child was ended by SIGKILL \(out of memory, or past its time limit\)"):
        ask("be_killed")


def test_a_child_past_its_time_is_killed(tmp_path):
    with pytest.raises(ProcessFailedError, match="SIGKILL"):
        ask("sleep", folder=tmp_path, timeout_s=2.0)
    wait_until(lambda: not alive(pids_in(tmp_path)))


def test_the_processes_of_a_child_past_its_time_are_killed_with_it(tmp_path):
    with pytest.raises(ProcessFailedError, match="SIGKILL"):
        ask("sleep_in_pool", folder=tmp_path, timeout_s=6.0)
    assert pids_in(tmp_path)
    wait_until(lambda: not alive(pids_in(tmp_path)))


def test_an_interrupted_call_leaves_no_child(tmp_path):
    def interrupt(event: dict[str, object]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask("sleep", folder=tmp_path, on_event=interrupt)
    assert alive(pids_in(tmp_path)) == []


@pytest.mark.parametrize(("deed", "processes"), [("sleep", 2), ("sleep_in_pool", 3)])
def test_children_end_when_their_parent_dies(deed, processes, tmp_path):
    """The parent is killed, so that it can end nobody itself."""
    from child import Wanted

    request = Wanted(deed="be_parent", text=deed, folder=tmp_path).model_dump_json()
    parent = subprocess.Popen([sys.executable, "-m", "videoguard.child", "child"], stdin=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    with parent:
        parent.stdin.write(request + "\n")
        parent.stdin.flush()
        wait_until(lambda: len(pids_in(tmp_path)) == processes)
        pids = pids_in(tmp_path)
        assert sorted(alive(pids)) == sorted(pids)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not alive(pids))


def test_calls_from_two_threads_do_not_mix():
    events: dict[str, list[dict[str, object]]] = {"a": [], "b": []}
    numbers = {"a": list(range(100)), "b": list(range(1000, 1100))}
    threads = [
        threading.Thread(target=ask, args=("count",), kwargs={"numbers": numbers[name], "on_event": events[name].append})
        for name in events
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: [event["number"] for event in told] for name, told in events.items()} == numbers


def process_of(**wanted) -> int:
    told: list[dict[str, object]] = []
    ask("tell_process", on_event=told.append, **wanted)
    return int(str(told[0]["process"]))


def test_calls_within_a_block_are_answered_by_one_process():
    with keeping_process("child"):
        first = process_of()
        assert process_of() == first
        assert ask("chatter", text="done\n\x1e", numbers=[1]).text == "done\n\x1e"
        assert process_of() == first
    assert alive([first]) == []
    assert process_of() != first


def test_a_process_that_starts_ahead_imports_and_then_answers(tmp_path, monkeypatch):
    from child import Done, Wanted

    (tmp_path / "witnessed.py").write_text(WITNESSED)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    told: list[dict[str, object]] = []
    with keeping_process("witnessed", ahead=3):
        wait_until(lambda: len(list(tmp_path.glob("imported-by-*"))) == 1)
        call("witnessed", Wanted(deed="tell_process"), Done, threads=3, timeout_s=60.0, on_event=told.append)
    assert [path.name for path in tmp_path.glob("imported-by-*")] == [f"imported-by-{told[0]['process']}"]


@pytest.mark.parametrize("failure", ["refuse", "crash", "be_killed"])
def test_a_kept_process_that_failed_is_not_asked_again(failure):
    with keeping_process("child"):
        first = process_of()
        with pytest.raises((UserError, ProcessFailedError)):
            ask(failure, text="why")
        assert alive([first]) == []
        second = process_of()
        # One that ended while it waited is noticed.
        os.kill(second, signal.SIGKILL)
        # Its threads may outlive what /proc tells of it.
        wait_until(lambda: os.waitid(os.P_PID, second, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
        assert process_of() != second


def test_a_call_beside_another_has_a_process_of_its_own(tmp_path):
    with keeping_process("child"), ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(ask, "sleep", folder=tmp_path)
        wait_until(lambda: len(pids_in(tmp_path)) == 1)
        (busy,) = pids_in(tmp_path)
        assert process_of() != busy
        os.kill(busy, signal.SIGKILL)
        with pytest.raises(ProcessFailedError, match="SIGKILL"):
            waiting.result()


def test_a_kept_process_ends_with_its_caller(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", KEEPING.format(folder=str(tmp_path))], stdin=subprocess.DEVNULL)
    wait_until(lambda: len(pids_in(tmp_path)) == 1)
    pids = pids_in(tmp_path)
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(pids))


KEEPING = """
from pathlib import Path
from child import Done, Wanted
from videoguard.subprocesses import call, keeping_process
with keeping_process("child"):
    call("child", Wanted(deed="sleep", folder=Path({folder!r})), Done, threads=1, timeout_s=600)
"""
WITNESSED = """
import os
from pathlib import Path
from child import SERVED
Path(__file__).with_name(f"imported-by-{os.getpid()}").touch()
"""
