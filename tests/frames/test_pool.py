"""Decoding processes: shared by threads, one shard at a time, gone with the program."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from select import select

import pytest

from videoguard.frames.extraction import ShardCounts, assign_shards, extract_shard
from videoguard.frames.pool import decoding_pool
from videoguard.frames.process import Refusal
from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import read_video

RULE = FrameRule(3, 640, "png", 95)


def spans(media: dict[str, Path], digests: list[str]) -> list[tuple[int, float, float]]:
    """Process, begin and end of each reading, as `misbehaving.noted` wrote them."""
    noted = [media[digest].with_suffix(".noted").read_text().split() for digest in digests]
    return [(int(process), float(began), float(ended)) for process, began, ended in noted]


def wait_until_gone(process: int) -> None:
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        assert select([watched], [], [], 30.0)[0], f"process {process} still runs"
    finally:
        os.close(watched)


def test_threads_that_extract_at_once_share_the_processes_and_take_turns(media, tmp_path, misbehaving):
    shards = list(assign_shards(media, 4).values())
    assert len(shards) == 4

    def extract(number: int) -> ShardCounts:
        folder = tmp_path / f"shard-{number}"
        folder.mkdir()
        chosen = {digest: media[digest] for digest in shards[number]}
        return extract_shard(chosen, RULE, folder, workers=2, timeout_s=60.0, read=misbehaving.noted)

    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(extract, range(4)))

    assert counts == [ShardCounts(decoded=len(shard), quarantined=0, frames=3 * len(shard)) for shard in shards]
    noted = [spans(media, shard) for shard in shards]
    processes = {process for shard in noted for process, _, _ in shard}
    assert len(processes) <= 2
    turns = sorted((min(began for _, began, _ in shard), max(ended for _, _, ended in shard)) for shard in noted)
    assert all(ended <= begins for (_, ended), (begins, _) in pairwise(turns))
    for process in processes:
        wait_until_gone(process)

    alone = tmp_path / "alone"
    alone.mkdir()
    extract_shard({digest: media[digest] for digest in shards[0]}, RULE, alone, workers=1, timeout_s=60.0)
    for name in ("frames.parquet", "quarantine.parquet"):
        assert (alone / name).read_bytes() == (tmp_path / "shard-0" / name).read_bytes()


def test_a_pool_that_is_held_serves_shard_after_shard(media, tmp_path, misbehaving):
    shards = list(assign_shards(media, 3).values())
    with decoding_pool(1):
        for number, shard in enumerate(shards):
            folder = tmp_path / str(number)
            folder.mkdir()
            chosen = {digest: media[digest] for digest in shard}
            extract_shard(chosen, RULE, folder, workers=1, timeout_s=60.0, read=misbehaving.noted)
    assert len({process for process, _, _ in spans(media, list(media))}) == 1


def test_outcomes_come_in_the_order_of_the_videos_and_are_those_of_the_decoder(media):
    paths = list(media.values()) * 4
    with decoding_pool(2) as pool:
        outcomes = list(pool.read(paths, RULE, timeout_s=60.0))
    once = [read_video(path, RULE) for path in media.values()]
    assert outcomes == once * 4


@pytest.mark.parametrize("fails", ["killed_on_bad", "killed_on_first_attempt"])
def test_a_crash_among_clips_that_are_handed_out_together_costs_none_of_the_others(media, tmp_path, misbehaving, fails):
    bad = tmp_path / "bad.mp4"
    good = next(iter(media.values()))
    bad.write_bytes(good.read_bytes())
    paths = [good] * 160
    paths[70] = paths[100] = bad
    with decoding_pool(2) as pool:
        outcomes = list(pool.read(paths, RULE, timeout_s=60.0, read=getattr(misbehaving, fails)))

    frames = read_video(good, RULE)
    killed = Refusal("the decoding process was ended by SIGKILL, twice", lasting=False)
    ended = killed if fails == "killed_on_bad" else frames
    assert [outcomes[70], outcomes[100]] == [ended, ended]
    assert [outcome for outcome, path in zip(outcomes, paths, strict=True) if path == good] == [frames] * 158


def test_a_reading_that_is_left_early_does_not_reach_into_the_next(media, misbehaving):
    paths = list(media.values())
    with decoding_pool(2) as pool:
        with closing(pool.read(paths, RULE, timeout_s=60.0)) as outcomes:
            first = next(outcomes)
        assert list(pool.read(paths[::-1], RULE, timeout_s=60.0))[-1] == first


def test_a_fault_of_the_program_is_raised_with_the_file_and_its_traceback(media, misbehaving):
    path = next(iter(media.values()))
    with decoding_pool(1) as pool:
        with pytest.raises(RuntimeError, match=rf"{path.name}: the decoding process failed(?s:.)*ZeroDivisionError"):
            list(pool.read([path], RULE, timeout_s=60.0, read=misbehaving.faulty))
        assert list(pool.read([path], RULE, timeout_s=60.0)) == [read_video(path, RULE)]


def test_processes_that_do_not_start_are_no_fault_of_the_videos(media, tmp_path):
    # A script without the main guard fails in every process that it spawns.
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from videoguard.frames.pool import decoding_pool\n"
        "from videoguard.frames.rule import FrameRule\n"
        "with decoding_pool(1) as pool:\n"
        f"    list(pool.read([Path({str(next(iter(media.values())))!r})], FrameRule(3, 640, 'png', 95), timeout_s=60.0))\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment(), check=False)
    assert "RuntimeError: the decoding processes do not start" in ended.stderr
    assert ended.returncode == 1


def test_no_decoding_process_outlives_a_killed_program(media, tmp_path):
    path = next(iter(media.values()))
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "import misbehaving\n"
        "from videoguard.frames.pool import decoding_pool\n"
        "from videoguard.frames.rule import FrameRule\n"
        "if __name__ == '__main__':\n"
        "    with decoding_pool(1) as pool:\n"
        f"        paths, rule = [Path({str(path)!r})], FrameRule(3, 640, 'png', 95)\n"
        "        list(pool.read(paths, rule, timeout_s=600.0, read=misbehaving.endless))\n"
    )
    with subprocess.Popen([sys.executable, script], env=environment(), stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        process = int(program.stdout.readline())
        program.kill()
    wait_until_gone(process)


def environment() -> dict[str, str]:
    """This process's environment, with the way to its packages and to `misbehaving`."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
