from collections.abc import Callable

import pytest

from videoguard.artifacts.lineage import children, descendants, of_finished_runs
from videoguard.artifacts.records import ArtifactRecord

Record = Callable[..., ArtifactRecord]


@pytest.fixture
def run(record: Record) -> dict[str, ArtifactRecord]:
    """A finished run, the manifest of another that was killed, and an adapter that no report tells of."""
    frames = record("frames", "a")
    dataset = record("dataset", "b", parents=[frames])
    adapter = record("training", "c", parents=[dataset, frames])
    report = record("report", "d", parents=[adapter])
    manifest = record("manifest", "e")
    lost = record("training", "f", parents=[dataset])
    return {each.key[0]: each for each in (frames, dataset, adapter, report, manifest, lost)}


def keys(records) -> str:
    return "".join(record.key[0] for record in records)


def test_children_are_what_was_made_from_an_artifact_itself(run):
    by_parent = children(run.values())
    assert {name.partition("/")[2][0]: keys(made) for name, made in by_parent.items()} == {
        "a": "bc",
        "b": "cf",
        "c": "d",
        "d": "",
        "e": "",
        "f": "",
    }


def test_descendants_are_all_that_came_from_it_nearest_first(run):
    by_parent = children(run.values())
    assert keys(descendants(run["a"].name, by_parent)) == "bcfd"
    assert keys(descendants(run["d"].name, by_parent)) == ""


def test_a_finished_run_reaches_all_that_its_report_came_from(run):
    assert sorted(name.partition("/")[2][0] for name in of_finished_runs(run.values())) == ["a", "b", "c", "d"]


def test_equal_content_under_another_key_is_of_the_run_too(run, record):
    """Newer code decoded the same frames, so the run went on with what was stored."""
    again = record("frames", "9", digest=run["a"].digest)
    other = record("frames", "8")
    assert keys(children([*run.values(), again])[again.name]) == "bc"
    reached = of_finished_runs([*run.values(), again, other])
    assert again.name in reached
    assert other.name not in reached


def test_equal_content_of_another_step_is_not(run, record):
    empty = record("registry", "7", digest=run["a"].digest)
    assert empty.name not in of_finished_runs([*run.values(), empty])


def test_parents_that_are_gone_are_passed_over(run):
    left = [run["c"], run["d"]]
    assert len(of_finished_runs(left)) == 2
    assert keys(children(left)[run["c"].name]) == "d"
