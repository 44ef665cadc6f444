"""What runs again, and what does not: each consequence of the cache key, on the real command."""

import itertools
import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.cache_workspace import ROOT, Outcome, Work, Workspace, kill_group, prefect_api
from videoguard.digests import digest_file
from videoguard.inference.rows import AnswerRow, read_rows

pytestmark = pytest.mark.slow

AFTER_ANSWERS = {"inference", "evaluation", "comparison", "promotion", "record", "report", "publish"}
BATCH = 4
INTERVAL = 6
"""Most steps between two checkpoints: 24 steps of pre-training with 4."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prefect_api(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, api: str) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("cache") / "work", api)


@pytest.fixture(scope="module")
def first(workspace: Workspace) -> Outcome:
    return workspace.run()


@pytest.fixture(scope="module")
def undisturbed(first: Outcome, workspace: Workspace) -> tuple[str, list[str], list[float]]:
    """Adapter and rows of the first run, before any other."""
    return _adapter(workspace), _rows(workspace), _logprobs(workspace)


def test_a_first_run_decodes_each_video_once_in_three_epochs(first, workspace):
    videos = {Path(row["video"]).name for row in json.loads((workspace.folder / "data" / "manifest.json").read_text())}
    decoded = Counter(name for name in first.decoded if name != "example.mp4")
    assert decoded == Counter(videos)
    assert len(videos) == 48


def test_killed_at_random_instants_a_run_ends_as_an_undisturbed_one(first, undisturbed, api, tmp_path):
    """Chains of kills, each a part of a run's time after its start, until the run comes to its end."""
    draw, kills = random.Random(0), int(os.environ.get("VIDEO_GUARD_KILLS", "1"))
    for chain in itertools.count():
        work = Workspace(tmp_path / f"chain-{chain}", api)
        done: list[Work] = []
        while kills and not _ends(process := work.start(), draw.uniform(0.1, 0.6) * first.seconds):
            kill_group(process)
            kills -= 1
            done.append(work.work())
        ended = work.run()
        done.append(ended.work)
        assert ended.summary["scores"] == first.summary["scores"]
        adapter, rows, logprobs = undisturbed
        assert (_adapter(work), _rows(work)) == (adapter, rows)
        assert _logprobs(work) == pytest.approx(logprobs, abs=2e-4)
        killed = len(done) - 1
        shard = max(
            json.loads((folder / "artifact.json").read_text())["facts"]["decoded"] for folder in work.artifacts("frames")
        )
        # The example of the registered model is decoded too.
        assert sum(one.decoded.total() for one in done) <= len(first.decoded) + killed * (shard + 1)
        assert sum(one.generated for one in done) <= first.generated + killed * 2 * BATCH
        assert sum(one.trained for one in done) <= first.work.trained + killed * INTERVAL
        if not kills:
            break


def test_a_second_run_computes_nothing(first, workspace):
    again = workspace.run()
    assert again.computed() == set()
    assert (again.decoded, again.generated) == ([], 0)
    assert again.summary["workbook"] == first.summary["workbook"]


def test_a_longer_answer_limit_answers_again(first, workspace):
    again = workspace.run("--set", "inference.max_new_tokens=14")
    assert again.computed() == AFTER_ANSWERS
    assert again.decoded == []
    assert again.generated == 2 * first.summary["rows"]["test"]


def test_a_step_is_refreshed_on_demand(first, workspace):
    again = workspace.run("--refresh", "evaluation")
    assert "evaluation" in again.computed()
    assert again.generated == 0
    assert "inference" not in again.computed()


def test_a_flipped_byte_and_a_deleted_file_are_noticed_named_and_mended(first, workspace):
    rows = workspace.artifacts("inference")[0] / "rows.jsonl"
    damaged = bytearray(rows.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    rows.write_bytes(damaged)
    shard = workspace.artifacts("frames")[0]
    (shard / "frames.parquet").unlink()
    again = workspace.run()
    assert f"artifact inference/{rows.parent.name} is damaged: rows.jsonl" in again.log
    assert f"artifact frames/{shard.name} is damaged: frames.parquet is missing" in again.log
    assert again.count("inference") == (1, 1)
    assert again.count("frames")[0] == 1
    assert rows.read_bytes() != bytes(damaged)
    # The same videos give the same frames: nothing that came from them is made again.
    assert "training" not in again.computed()


def test_in_another_checkout_edited_metric_code_scores_again_and_all_else_is_reused(first, workspace, tmp_path):
    other = _copy_source(tmp_path)
    with (other / "videoguard" / "evaluation" / "statistics.py").open("a") as source:
        source.write("\n# another way of counting\n")
    again = Workspace(workspace.folder, workspace.api, source=other).run()
    assert again.computed() >= {"evaluation"}
    assert again.computed() <= {"evaluation", "comparison", "promotion", "record", "report", "publish"}


def test_two_runs_at_once_compute_each_step_once(api, tmp_path):
    work = Workspace(tmp_path / "together", api)
    processes = [work.start(), work.start()]
    outcomes = [work.finish(process) for process in processes]
    assert [outcome.status for outcome in outcomes] == [0, 0], [outcome.log for outcome in outcomes]
    for step in ("base-model", "dataset", "training", "registry"):
        assert len(work.artifacts(step)) == 1
    assert outcomes[0].summary["scores"] == outcomes[1].summary["scores"]
    assert outcomes[0].summary["version"] == outcomes[1].summary["version"] == "1"


def _ends(process: "subprocess.Popen[str]", seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _adapter(work: Workspace) -> str:
    (training,) = work.artifacts("training")
    return digest_file(training / "adapter/adapter_model.safetensors")


def _rows(work: Workspace) -> list[str]:
    """The answers of the base and the adapter, without the time that they took and the last bits of their confidence."""
    return sorted(row.model_dump_json(exclude={"latency_s", "mean_token_logprob"}) for row in _all_rows(work))


def _logprobs(work: Workspace) -> list[float]:
    return sorted(row.mean_token_logprob or 0.0 for row in _all_rows(work))


def _all_rows(work: Workspace) -> list[AnswerRow]:
    return [row for folder in work.artifacts("inference") for row in read_rows(folder / "rows.jsonl")]


def _copy_source(folder: Path) -> Path:
    for name in ("commands", "flows", "tasks", "videoguard"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
