"""What every step has of Prefect: a result is reused while its artifact is whole, and only what may pass is tried again."""

from pathlib import Path

import pytest
from prefect import flow, task
from prefect.client.schemas.objects import State

from tasks.step import OPTIONS, ByProvenance, Workplace, on_event, start_work
from videoguard.artifacts.records import Artifact, Provenance
from videoguard.artifacts.store import Draft
from videoguard.config import ExecutionSection
from videoguard.errors import UserError
from videoguard.progress import Progress, listening

pytestmark = pytest.mark.slow

AT_ONCE = OPTIONS.copy()
AT_ONCE["retry_delay_seconds"] = [0.0]
AT_ONCE["retry_jitter_factor"] = 0.0


def _provenance(place: Workplace, number: int) -> Provenance:
    return Provenance(step="squares", code="c0de", settings={"number": number}, inputs={})


def _copy_is_there(place: Workplace, number: int) -> bool:
    return (place.state / f"copy-{number}").exists()


def _square(place: Workplace, number: int) -> Artifact:
    with (place.state / "calls").open("a") as calls:
        calls.write(f"{number}\n")

    def fill(draft: Draft) -> None:
        (draft.folder / "square").write_text(str(number**2))
        draft.facts = {"square": number**2}

    (place.state / f"copy-{number}").touch()
    return place.make(_provenance(place, number), fill)


square = task(cache_policy=ByProvenance(provenance=_provenance), **AT_ONCE)(_square)
square_with_copy = task(cache_policy=ByProvenance(provenance=_provenance, is_there=_copy_is_there), **AT_ONCE)(_square)


def at(state: Path, *refresh: str) -> Workplace:
    """The place of a flow run that begins now."""
    place = start_work(ExecutionSection(state=state), [])
    # The step of these tests is none that the command line knows.
    return place.model_copy(update={"refresh": refresh})


def run(state: Path, *numbers: int, step=square, refresh: tuple[str, ...] = ()) -> list[tuple[str, Artifact]]:
    """State name and result of the step for each number, in a flow of its own."""
    place = at(state, *refresh)

    @flow
    def squares() -> list[tuple[str, Artifact]]:
        states: list[State[Artifact]] = [step(place, number, return_state=True) for number in numbers]
        return [(ended.name or "", ended.result()) for ended in states]

    return squares()


def calls(state: Path) -> list[int]:
    return [int(line) for line in (state / "calls").read_text().splitlines()]


@pytest.fixture
def state(tmp_path: Path, prefect_server) -> Path:
    return tmp_path


def test_a_second_run_computes_nothing(state):
    ((first, artifact),) = run(state, 3)
    ((second, again),) = run(state, 3)
    assert (first, second) == ("Completed", "Cached")
    assert artifact == again
    assert calls(state) == [3]
    assert at(state).path(again).joinpath("square").read_text() == "9"


def test_another_input_is_computed(state):
    assert [name for name, _ in run(state, 3, 4, 3)] == ["Completed", "Completed", "Cached"]
    assert calls(state) == [3, 4]


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_lost_or_damaged_artifact_is_computed_again(damage, state):
    ((_, artifact),) = run(state, 5)
    file = at(state).path(artifact) / "square"
    if damage == "lost":
        file.unlink()
    else:
        file.write_text("26")
    ((name, again),) = run(state, 5)
    assert (name, again.digest) == ("Completed", artifact.digest)
    assert file.read_text() == "25"
    assert [name for name, _ in run(state, 5)] == ["Cached"]
    assert calls(state) == [5, 5]


def test_what_a_step_made_besides_is_made_again(state):
    run(state, 6, step=square_with_copy)
    (state / "copy-6").unlink()
    assert [name for name, _ in run(state, 6, 6, step=square_with_copy)] == ["Completed", "Cached"]
    assert (state / "copy-6").exists()


def test_an_artifact_of_another_run_is_taken_where_prefect_knows_nothing(state, prefect_server):
    ((_, artifact),) = run(state, 7)
    for result in prefect_server.iterdir():
        result.unlink()
    made = at(state).path(artifact).stat().st_mtime_ns
    assert run(state, 7) == [("Completed", artifact)]
    assert at(state).path(artifact).stat().st_mtime_ns == made


def test_the_recorded_result_is_small_json(state, prefect_server):
    ((_, artifact),) = run(state, 8)
    (recorded,) = prefect_server.glob(f"*{artifact.key}*")
    text = recorded.read_text()
    assert text.startswith("{")
    assert '\\"facts\\": {\\"square\\": 64}' in text
    assert len(text) < 2000


@pytest.mark.parametrize(("failure", "attempts"), [(OSError("the disk hiccups"), 4), (UserError("no such manifest"), 1)])
def test_a_refusal_is_not_tried_again_and_another_failure_three_times(failure, attempts, state):
    tried = []

    @task(**AT_ONCE)
    def fail() -> None:
        tried.append(1)
        raise failure

    @flow
    def failing() -> None:
        fail()

    with pytest.raises(type(failure), match=str(failure)):
        failing()
    assert len(tried) == attempts


def test_a_passing_failure_is_mended_by_the_next_attempt(state):
    tried = []

    @task(**AT_ONCE)
    def hiccup() -> int:
        tried.append(1)
        if len(tried) < 3:
            raise OSError("the disk hiccups")
        return len(tried)

    assert flow(lambda: hiccup())() == 3


def test_events_of_a_child_are_told_with_their_losses(state):
    heard: list[Progress] = []
    with listening(heard.append):
        on_event("training")({"step": 3, "of": 9, "metrics": {"train_loss": 0.123456, "learning_rate": 0.1}})
        on_event("answers")({"step": 1, "of": 2, "metrics": {}})
    assert heard == [Progress("training", 3, 9, "train loss 0.1235"), Progress("answers", 1, 2, "")]


def test_a_step_to_refresh_is_made_again_once_in_a_run(state):
    ((_, first),) = run(state, 9)
    ((name, again), (other, same)) = run(state, 9, 9, refresh=("squares",))
    assert (name, other) == ("Completed", "Cached")
    assert first.created < again.created == same.created
    assert [name for name, _ in run(state, 9)] == ["Cached"]


def test_a_recorded_result_of_other_content_is_forgotten(state, prefect_server):
    ((_, artifact),) = run(state, 10)
    (recorded,) = prefect_server.glob(f"*{artifact.key}*")
    recorded.write_text(recorded.read_text().replace(artifact.digest, "0" * len(artifact.digest)))
    assert run(state, 10) == [("Completed", artifact)]
    assert [name for name, _ in run(state, 10)] == ["Cached"]


def test_an_unknown_step_to_refresh_is_refused(tmp_path):
    with pytest.raises(UserError, match="frame is not a step: steps are manifest, frames"):
        start_work(ExecutionSection(state=tmp_path), ["frame"])
