"""What each step depends on: a changed setting re-makes the steps that it matters to, and no other."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.base_model import BaseReference, find_base_model
from tasks.comparison import compare_scored
from tasks.dataset import build_dataset_task
from tasks.evaluation import ScoredModel, score_answers
from tasks.frames import StoredFrames, extract_frames_task, index_frames_task
from tasks.inference import Answers, answer_shard
from tasks.manifest import read_listing_task
from tasks.promotion import Opponent, Promotion, decide_promotion
from tasks.quality import judge_quality_task
from tasks.record import record_results
from tasks.registry import publish_report, register_adapter_task
from tasks.report import Steps, write_report
from tasks.step import start_work
from tasks.training import train_adapter
from tasks.versions import fetch_version
from videoguard.artifacts.records import Artifact
from videoguard.config import QualitySection, RunConfig
from videoguard.manifests.listing import make_listing, write_listing
from videoguard.manifests.reading import read_manifest
from videoguard.registry.standing import Standing

MANIFEST = '[{"video": "a.mp4", "question": "Which?", "answer": "squat - good"}]'


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Iterator[Path]:
    """A working folder with a manifest, its video and its listing."""
    project: Path = tmp_path_factory.mktemp("project")
    (project / "data").mkdir()
    (project / "data/list.json").write_text(MANIFEST)
    (project / "data/a.mp4").write_bytes(b"video")
    folder = project / "state/artifacts" / artifact("manifest").name
    folder.mkdir(parents=True)
    reading = read_manifest(project / "data/list.json")
    write_listing(make_listing(reading.samples, reading.problems, reading.format), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        yield project


@pytest.fixture(scope="module")
def unchanged(project) -> dict[str, str]:
    """The key of every step before anything is changed."""
    return keys(config())


def artifact(step: str) -> Artifact:
    return Artifact(
        step=step,
        key=hashlib.md5(step.encode(), usedforsecurity=False).hexdigest(),
        digest=f"digest of {step}",
        facts={"run_id": "run", "model": "video-guard", "version": "1"},
        created=datetime(2026, 1, 1, tzinfo=UTC),
        seconds=1.0,
    )


def config(**settings: Any) -> RunConfig:
    sections: dict[str, Any] = {
        "name": "trial",
        "data": {"manifest": "data/list.json"},
        "model": {"tiny": {}},
        "execution": {"state": "state"},
    }
    for name, value in settings.items():
        section, _, key = name.partition("__")
        sections[section] = value if not key else {**sections.get(section, {}), key: value}
    return RunConfig.model_validate(sections)


def keys(run: RunConfig, base: str = "digest of base") -> dict[str, str]:
    """The key of every step, all of whose inputs are as they were."""
    place, data = start_work(run.execution, []), run.data
    manifest, index, shard, dataset, stored_base, adapter, version, answers, evaluation, comparison, report = map(
        artifact,
        (
            "manifest",
            "frames-index",
            "frames",
            "dataset",
            "base-model",
            "training",
            "registry",
            "inference",
            "evaluation",
            "comparison",
            "report",
        ),
    )
    found = BaseReference(name="tiny", location="base", revision=None, digest=base, artifact=stored_base)
    frames = StoredFrames(index=index, shards=(shard,))
    scored = {"base": ScoredModel(answers=Answers(shards=(answers,)), evaluation=evaluation)}
    standing = Standing(opponent="3", opponent_source="models:/m-3")
    opponent = Opponent(standing=standing, scored=scored["base"])
    promotion = Promotion(decided=artifact("promotion"), asked=())
    recorded = artifact("record").model_copy(update={"facts": {"run_id": "r-1"}})
    steps = Steps(
        manifest=manifest,
        frames=frames,
        dataset=dataset,
        base=found,
        adapter=adapter,
        version=version,
        scored=scored,
        comparison=comparison,
        recorded=recorded,
        promotion=promotion,
    )
    asked: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "manifest": (read_listing_task, (data,)),
        "frames": (extract_frames_task, (data, run.frames, manifest, ["digest of a video"])),
        "frames index": (index_frames_task, (data, manifest, [shard])),
        "quality": (judge_quality_task, (data, run.quality or QualitySection(), manifest, frames, run.frames.workers)),
        "dataset": (build_dataset_task, (data, run.dataset, manifest, frames, run.seed)),
        "base": (find_base_model, (run.model, run.seed)),
        "training": (train_adapter, (run, found, dataset, frames)),
        "registry": (register_adapter_task, (run, found, dataset, adapter)),
        "inference": (answer_shard, (run, found, adapter, dataset, frames, 0)),
        "evaluation": (score_answers, (run, [answers])),
        "comparison": (compare_scored, (run, scored)),
        "champion": (fetch_version, (run, "1", "models:/m-1")),
        "promotion": (decide_promotion, (run, version, scored["base"], opponent)),
        "record": (record_results, (run, found, dataset, version, scored, comparison, "base", promotion)),
        "report": (write_report, (run, "video-guard run trial.yaml", steps)),
        "publish": (publish_report, (run, recorded, report)),
    }
    return {name: step.cache_policy.provenance(place, *arguments).key for name, (step, arguments) in asked.items()}


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({}, set()),
        ({"frames__workers": 7, "frames__timeout_s": 5.0, "frames__memory_mb": 64, "frames__shards": 3}, set()),
        # Limits decide what is decoded at all, not what a model sees of it.
        ({"frames__limits": {"pixels": 1000}}, {"frames"}),
        ({"frames__resize": "pixels", "frames__max_pixels": 1000}, {"frames", "training"}),
        ({"quality": {"min_width": 64}}, {"quality"}),
        ({"augmentation": {"flip": 0.5}}, {"training"}),
        # The record that the adapter carries changes with the rule, also where the stored frames would be the same.
        ({"frames__count": 4}, {"frames", "training"}),
        ({"frames__jpeg_quality": 90}, {"frames", "training"}),
        ({"dataset__test": 0.3}, {"dataset"}),
        ({"dataset__system_prompt": "Be brief."}, {"dataset", "training"}),
        ({"dataset__question": "Which?"}, {"dataset", "training"}),
        ({"dataset__group_by": "subject"}, {"dataset"}),
        ({"dataset__stratify": False}, {"dataset"}),
        ({"dataset__answer": {"json_schema": {"type": "object"}}}, {"dataset", "inference", "evaluation"}),
        # Answers that are text are neither held to a schema nor mended.
        ({"inference__repair": False}, set()),
        ({"model": {"tiny": {"layers": 1}}}, {"base"}),
        ({"model": {"tiny": {}, "dtype": "bfloat16"}}, {"training", "inference"}),
        ({"training__epochs": 2}, {"training"}),
        ({"training__lora": {"r": 4}}, {"training"}),
        ({"training__keep_last": 5, "training__peak_tflops": 100.0}, set()),
        ({"training__metric": "rouge_l"}, {"training"}),
        ({"model": {"tiny": {}, "quantization": "4bit"}}, {"training", "inference"}),
        ({"inference__max_new_tokens": 64}, {"inference"}),
        # The first metric is the one that has to rise.
        ({"evaluation__metrics": ["meteor"]}, {"evaluation", "promotion"}),
        ({"report__bands": {"meteor": {"green": 0.6, "yellow": 0.1}}}, {"report"}),
        ({"report__title": "Other"}, {"report"}),
        ({"inference__batch_size": 7, "inference__threads": 2}, set()),
        ({"inference__shards": 2}, {"inference"}),
        ({"registry__registered_model": "other"}, {"registry", "champion"}),
        ({"registry__promotion": {"metric": "meteor"}}, {"promotion"}),
        ({"registry__promotion": {"alpha": 0.01}}, {"promotion"}),
        ({"seed": 1}, {"dataset", "base", "training", "evaluation", "comparison", "promotion"}),
        ({"name": "other"}, {"report"}),
    ],
)
def test_a_setting_re_makes_the_steps_that_it_matters_to(changed, again, unchanged):
    assert differing(unchanged, keys(config(**changed))) == again


def test_another_base_re_makes_what_runs_it(unchanged):
    assert differing(unchanged, keys(config(), base="another")) == {"training", "inference", "report"}


def test_the_keys_do_not_depend_on_where_the_working_folder_is(unchanged, project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "project"
    shutil.copytree(project, elsewhere)
    monkeypatch.chdir(elsewhere)
    # The manifest step looks at the files of this machine; its listing, on which all else rests, names none of them. A
    # version is of one MLflow database.
    assert differing(unchanged, keys(config())) <= {"manifest", "registry", "champion", "promotion"}


def test_a_video_that_was_written_again_is_digested_again(unchanged, project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "project"
    shutil.copytree(project, elsewhere)
    monkeypatch.chdir(elsewhere)
    before = keys(config())
    os.utime("data/a.mp4", (0, 0))
    assert differing(before, keys(config())) == {"manifest"}


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Steps whose keys are not the same."""
    return {step for step in before if before[step] != after[step]}
