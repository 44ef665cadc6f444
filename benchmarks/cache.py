"""What caching costs and saves: the second run of the quickstart, the bookkeeping over many tiny clips, and a few new clips.

    python benchmarks/cache.py                  all parts, about fifteen minutes on two cores
    python benchmarks/cache.py --part clips --part new --clips 2000

Second run: the goal is at most 10 s with a temporary Prefect server and 5 s with a running one, everything reused and torch
not imported. Bookkeeping (digests, keys, tasks, store): the goal is at most 5 % on top of a bare decode of the same clips by
the same number of processes, and at most 1 GiB of memory in the flow's process. New clips: a manifest that gains 1 % decodes
these alone, and the goal is at most a tenth of the time of the steps manifest and frames over the whole of it; the clips are
tiny, and to decode a real one takes ten times as long.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "configs" / "quickstart.yaml"
TEMPORARY_SERVER_S, RUNNING_SERVER_S = 10.0, 5.0
OVERHEAD, MEMORY_GIB = 0.05, 1.0
WORKERS = 2
NEW, NEW_TIME = 0.01, 0.1
# Told by the process itself, as it ends, on what it imported.
WITNESS = """
import atexit, os, sys
if sys.argv[0].endswith("video-guard"):
    atexit.register(lambda: open(os.environ["IMPORTED"], "w").write("torch" if "torch" in sys.modules else "none"))
"""


@dataclass
class Line:
    """One figure against its limit; the ratio is limit over measured, so that 1 and above is well."""

    name: str
    measured: float
    limit: float
    unit: str

    @property
    def ratio(self) -> float:
        return self.limit / self.measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["run", "clips", "new"], action="append")
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    parts = arguments.part or ["run", "clips", "new"]
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        if "run" in parts:
            lines += second_run(Path(folder) / "run")
        measured = {"clips": bookkeeping, "new": new_clips}
        for part in [part for part in measured if part in parts]:
            # Prefect keeps to the first server that it was told of, and memory is that of one process.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                lines += process.submit(measured[part], Path(folder) / part, arguments.clips).result()
    ratio = min(line.ratio for line in lines)
    if arguments.json:
        print(json.dumps({"lines": [{**vars(line), "ratio": line.ratio} for line in lines], "ratio": ratio}))
    else:
        for line in lines:
            print(f"{line.name:<52} {line.measured:9.2f} {line.unit:<4} limit {line.limit:8.2f}  ratio {line.ratio:6.2f}")
        print(f"cache ratio {ratio:.2f} goal 1.00")
    return 0 if ratio >= 1 else 1


def second_run(work: Path) -> list[Line]:
    work.mkdir()
    first = timed_run(work)
    second = timed_run(work, reused=True)
    with running_server(work) as url:
        timed_run(work, PREFECT_API_URL=url)
        third = timed_run(work, reused=True, PREFECT_API_URL=url)
    print(f"first run of the quickstart {first:.1f} s", file=sys.stderr)
    return [
        Line("second run, temporary Prefect server", second, TEMPORARY_SERVER_S, "s"),
        Line("second run, running Prefect server", third, RUNNING_SERVER_S, "s"),
    ]


def timed_run(work: Path, *, reused: bool = False, **variables: str) -> float:
    """Wall time of a whole `video-guard run` of the quickstart; fails where it did not reuse everything though it should."""
    (work / "witness").mkdir(exist_ok=True)
    (work / "witness" / "sitecustomize.py").write_text(WITNESS)
    paths = os.pathsep.join([str(work / "witness"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "IMPORTED": str(work / "imported"), **variables}
    started = time.perf_counter()
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("video-guard")), "run", str(RECIPE), "--json"],
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds = time.perf_counter() - started
    if reused:
        computed = [step["step"] for step in json.loads(ended.stdout)["steps"] if step["computed"]]
        assert not computed, f"computed again: {computed}"
        assert (work / "imported").read_text() == "none", "the flow's process imported torch"
    return seconds


@contextmanager
def running_server(work: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PREFECT_HOME": str(work / ".video-guard" / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(ROOT),
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "commands.prefect_server", str(port)], cwd=work, env=environment, stdin=subprocess.PIPE
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/api/health"):
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def bookkeeping(work: Path, clips: int) -> list[Line]:
    manifest = make_clips(work, clips)
    paths = sorted((work / "data" / "videos").glob("*.mp4"))
    bare = bare_decode(paths)
    with prefect_in(work):
        ours, _ = ours_decode(work, manifest)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{clips:,} clips: bare decode {bare:.1f} s, the steps manifest and frames {ours:.1f} s", file=sys.stderr)
    return [
        Line(f"time over a bare decode, {clips:,} clips", 100 * max(ours / bare - 1, 1e-4), 100 * OVERHEAD, "%"),
        Line(f"memory of the flow's process, {clips:,} clips", peak, MEMORY_GIB, "GiB"),
    ]


def make_clips(work: Path, clips: int) -> Path:
    """Distinct files that decode alike: copies of a few real ones, each with its own unused box at the end."""
    from videoguard.exercises.generate import generate_exercise_videos

    generated = generate_exercise_videos(
        work / "made", videos_per_form=2, answers="text", size=96, seconds=2.0, fps=12, seed=0, workers=WORKERS
    )
    rows = json.loads(generated.read_text())
    folder = work / "data" / "videos"
    folder.mkdir(parents=True)
    listed = []
    for number in range(clips):
        row = rows[number % len(rows)]
        file = folder / f"{number:06d}.mp4"
        shutil.copyfile(generated.parent / row["video"], file)
        with file.open("ab") as box:
            box.write(struct.pack(">I4sQ", 16, b"free", number))
        listed.append({**row, "video": f"videos/{file.name}"})
    manifest = work / "data" / "manifest.json"
    manifest.write_text(json.dumps(listed))
    return manifest


def bare_decode(paths: list[Path]) -> float:
    """A competent user's loop: a pool that decodes, resizes and encodes each clip, and keeps nothing."""
    from videoguard.frames.rule import FrameRule
    from videoguard.frames.workers import read_video

    read = partial(read_video, rule=FrameRule(8, 96, "jpeg", 95))
    started = time.perf_counter()
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        for _ in pool.map(read, paths, chunksize=32):
            pass
    return time.perf_counter() - started


def new_clips(work: Path, clips: int) -> list[Line]:
    """A manifest that gains some clips, against the same manifest where nothing is stored."""
    manifest = make_clips(work, clips)
    rows = json.loads(manifest.read_text())
    added = max(1, round(clips * NEW))
    with prefect_in(work):
        manifest.write_text(json.dumps(rows[: clips - added]))
        ours_decode(work, manifest)
        manifest.write_text(json.dumps(rows))
        grown, made = ours_decode(work, manifest)
        whole, _ = ours_decode(work, manifest, state="fresh")
    decoded, taken = made["decoded"], made["taken"]
    print(
        f"{clips:,} clips of which {added:,} are new: {made['shards']} shards made, {decoded:,} clips decoded, "
        f"{taken:,} taken from earlier shards; {grown:.1f} s, decoded whole {whole:.1f} s",
        file=sys.stderr,
    )
    return [
        Line(f"clips decoded of {added:,} that are new", decoded, added, ""),
        Line(f"time of a manifest with 1 % new clips, {clips:,} clips", 100 * grown / whole, 100 * NEW_TIME, "%"),
    ]


@contextmanager
def prefect_in(work: Path) -> Iterator[None]:
    """A temporary Prefect server, whose state lies in `work`, where the block runs."""
    from commands.prefect_server import prefect_server

    os.chdir(work)
    with prefect_server(work / "prefect", verbose=False):
        yield


def ours_decode(work: Path, manifest: Path, state: str = "state") -> tuple[float, dict[str, int]]:
    """Wall time of the steps manifest, frames and frames index in a flow; how many shards it made, and of what."""
    from prefect import flow, unmapped

    from tasks.frames import extract_frames_task, index_frames_task, shards_of
    from tasks.manifest import read_listing_task
    from tasks.step import start_work
    from videoguard.config import DataSection, ExecutionSection, FramesSection

    data, rule = DataSection(manifest=manifest), FramesSection(max_side=96, workers=WORKERS)

    @flow
    def decode() -> list[dict[str, object]]:
        place = start_work(ExecutionSection(state=work / state), [])
        listed = read_listing_task(place, data)
        parts = shards_of(place, data, rule, listed)
        shards = extract_frames_task.map(unmapped(place), unmapped(data), unmapped(rule), unmapped(listed), parts).result()
        index_frames_task(place, data, listed, shards)
        return [shard.facts for shard in shards if shard.created >= place.started]

    started = time.perf_counter()
    made = decode()
    seconds = time.perf_counter() - started
    held, taken = (sum(int(str(facts[name])) for facts in made) for name in ("decoded", "taken"))
    return seconds, {"shards": len(made), "decoded": held - taken, "taken": taken}


if __name__ == "__main__":
    sys.exit(main())
