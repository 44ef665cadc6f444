"""Killed and started again: a training ends as an undisturbed one, and goes on from nothing that is torn."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kills import KilledError, kill_at
from videoguard.digests import digest_file
from videoguard.models.checkpoints import MANIFEST, checkpoint_at, keep_only, newest_whole_checkpoint, step_of
from videoguard.subprocesses import call
from videoguard.training.request import TrainingReply, TrainingRequest
from videoguard.training.train import train

# Of the `trained` adapter and all trainings here: 12 steps, a checkpoint every 4.
STEPS, INTERVAL = 12, 4
ADAPTER = "adapter/adapter_model.safetensors"


def steps_on_disk(folder: Path) -> list[int]:
    return sorted(map(step_of, folder.glob("checkpoint-*")))


def remove(name: str) -> Callable[[Path], None]:
    return lambda checkpoint: (checkpoint / name).unlink()


def truncate_weights(checkpoint: Path) -> None:
    weights = checkpoint / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def flip_a_byte(checkpoint: Path) -> None:
    file = checkpoint / "optimizer.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate_manifest(checkpoint: Path) -> None:
    manifest = checkpoint / MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:-20])


TEARS: dict[str, Callable[[Path], None]] = {
    "no manifest": remove(MANIFEST),
    "no optimizer": remove("optimizer.pt"),
    "no scheduler": remove("scheduler.pt"),
    "no state of the random generators": remove("rng_state.pth"),
    "no weights": remove("adapter_model.safetensors"),
    "truncated weights": truncate_weights,
    "truncated manifest": truncate_manifest,
    "a flipped bit": flip_a_byte,
}


@pytest.fixture(scope="module")
def killed(training_request, tmp_path_factory) -> TrainingRequest:
    """A training that ended in its eleventh step, with whole checkpoints of the fourth and the eighth."""
    folder = tmp_path_factory.mktemp("killed")
    request: TrainingRequest = training_request(folder)
    with pytest.raises(KilledError):
        train(request, kill_at(11))
    assert steps_on_disk(request.checkpoints) == [4, 8]
    return request


@pytest.fixture
def again(killed, training_request, tmp_path) -> TrainingRequest:
    """The killed training, to go on in a place of its own."""
    shutil.copytree(killed.checkpoints, tmp_path / "checkpoints")
    request: TrainingRequest = training_request(tmp_path)
    return request


@pytest.mark.slow
def test_a_sigkill_changes_no_byte_of_the_adapter(training_request, trained, tmp_path):
    request = training_request(tmp_path)
    events: list[dict[str, object]] = []
    with pytest.raises(KilledError):
        call("videoguard.training", request, TrainingReply, threads=1, timeout_s=300.0, on_event=kill_at(6))
    assert not (request.output / ADAPTER).exists()
    reply = call("videoguard.training", request, TrainingReply, threads=1, timeout_s=300.0, on_event=events.append)

    assert reply.resumed_from == INTERVAL
    assert events[0] == {"step": 4, "of": STEPS, "metrics": {}, "note": "resumed from step 4"}
    assert min(int(str(event["step"])) for event in events[1:]) == INTERVAL + 1
    assert digest_file(request.output / ADAPTER) == digest_file(trained.folder / ADAPTER)
    assert (request.output / "log.jsonl").read_text() == (trained.folder / "log.jsonl").read_text()
    assert digest_file(request.output / "curves.png") == digest_file(trained.folder / "curves.png")
    own = {"resumed_from", "seconds", "tokens_per_second", "samples_per_second", "memory_gb"}
    assert reply.model_dump(exclude=own) == trained.reply.model_dump(exclude=own)


@pytest.mark.parametrize("tear", TEARS.values(), ids=TEARS.keys())
def test_a_torn_checkpoint_does_not_count(tear, again):
    assert newest_whole_checkpoint(again.checkpoints) == checkpoint_at(again.checkpoints, 8)
    tear(checkpoint_at(again.checkpoints, 8))
    assert newest_whole_checkpoint(again.checkpoints) == checkpoint_at(again.checkpoints, 4)
    tear(checkpoint_at(again.checkpoints, 4))
    assert newest_whole_checkpoint(again.checkpoints) is None


# Without these two files the trainer goes on, and ends with other weights.
@pytest.mark.parametrize("tear", ["no optimizer", "no state of the random generators"])
def test_the_training_goes_on_from_the_one_before_the_torn_one(tear, again, trained):
    TEARS[tear](checkpoint_at(again.checkpoints, 8))
    reply = train(again, lambda event: None)
    assert reply.resumed_from == INTERVAL
    assert digest_file(again.output / ADAPTER) == digest_file(trained.folder / ADAPTER)
    assert (again.output / "log.jsonl").read_text() == (trained.folder / "log.jsonl").read_text()


def test_without_a_whole_checkpoint_it_starts_anew(again, trained):
    for step in (4, 8):
        truncate_weights(checkpoint_at(again.checkpoints, step))
    assert train(again, lambda event: None).resumed_from is None
    assert digest_file(again.output / ADAPTER) == digest_file(trained.folder / ADAPTER)


def test_a_checkpoint_whose_best_is_torn_does_not_count(again):
    manifest = checkpoint_at(again.checkpoints, 8) / MANIFEST
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**record, "best_step": 4}))
    assert newest_whole_checkpoint(again.checkpoints) == checkpoint_at(again.checkpoints, 8)
    flip_a_byte(checkpoint_at(again.checkpoints, 4))
    assert newest_whole_checkpoint(again.checkpoints) is None


def test_what_is_torn_is_removed_and_the_best_is_kept(again):
    torn = checkpoint_at(again.checkpoints, 11)
    shutil.copytree(checkpoint_at(again.checkpoints, 8), torn)
    assert newest_whole_checkpoint(again.checkpoints) == checkpoint_at(again.checkpoints, 8)

    manifest = checkpoint_at(again.checkpoints, 8) / MANIFEST
    record = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**record, "best_step": 4}))
    keep_only(again.checkpoints, checkpoint_at(again.checkpoints, 8))
    assert steps_on_disk(again.checkpoints) == [4, 8]
    manifest.write_text(json.dumps({**record, "best_step": 8}))
    keep_only(again.checkpoints, checkpoint_at(again.checkpoints, 8))
    assert steps_on_disk(again.checkpoints) == [8]
    keep_only(again.checkpoints, None)
    assert steps_on_disk(again.checkpoints) == []


def test_there_is_a_whole_checkpoint_at_every_moment_after_the_first(training_request, tmp_path):
    """Also while the next one is written: looked at after each step, and never more than the newest two and the best."""
    request = training_request(tmp_path, settings={"evaluations": 6, "learning_rate": 0.3, "schedule": "constant"})
    seen: list[int] = []

    def look(event: dict[str, object]) -> None:
        newest = newest_whole_checkpoint(request.checkpoints)
        # The event of a step with a checkpoint comes before that is written.
        whole = max(0, int(str(event["step"])) - 1) // 2 * 2
        assert (0 if newest is None else step_of(newest)) == whole
        seen.append(len(steps_on_disk(request.checkpoints)))

    reply = train(request, look)
    assert max(seen) <= 3
    assert reply.best_step in steps_on_disk(request.checkpoints)
    assert steps_on_disk(request.checkpoints)[-2:] == [10, 12]


def test_a_best_adapter_from_before_the_kill_is_the_one_that_is_kept(training_request, tmp_path):
    """After a few steps a high learning rate destroys the model: the best step lies before the kill."""
    settings = {"epochs": 4, "learning_rate": 3.0, "schedule": "constant", "max_grad_norm": 1e9, "evaluations": 6}
    whole = train(training_request(tmp_path / "whole", settings=settings), lambda event: None)
    assert whole.best_step is not None
    assert whole.best_step < 8
    request = training_request(tmp_path / "killed", settings=settings)
    with pytest.raises(KilledError):
        train(request, kill_at(10))
    # The folder may have been moved in the meantime: the trainer notes the best checkpoint by its absolute path.
    moved = training_request(tmp_path / "moved", settings=settings)
    shutil.move(request.checkpoints, moved.checkpoints)
    reply = train(moved, lambda event: None)
    assert reply.resumed_from == 8
    assert (reply.best_step, reply.best_validation_loss) == (whole.best_step, whole.best_validation_loss)
    assert digest_file(moved.output / ADAPTER) == digest_file(tmp_path / "whole" / ADAPTER)


def test_a_training_that_was_finished_is_not_continued(training_request, tmp_path):
    """Killed between its last step and the end of the process, in the midst of an epoch of three steps."""
    request = training_request(tmp_path / "first", settings={"epochs": 1.4})
    first = train(request, lambda event: None)
    assert first.steps == 4
    events: list[dict[str, object]] = []
    again = training_request(tmp_path / "again", settings={"epochs": 1.4}, checkpoints=request.checkpoints)
    reply = train(again, events.append)
    assert events == [{"step": 4, "of": 4, "metrics": {}, "note": "resumed from step 4"}]
    assert (reply.steps, reply.resumed_from, reply.train_loss) == (4, 4, first.train_loss)
    for name in (ADAPTER, "log.jsonl", "curves.png"):
        assert digest_file(again.output / name) == digest_file(request.output / name)


def test_no_logged_point_spans_a_checkpoint(training_request, tmp_path, monkeypatch):
    """Points every six steps and checkpoints every four: 4, 6, 8, 12, whether it was killed or not."""
    monkeypatch.setattr("videoguard.training.arguments.LOGGED_POINTS", 2)
    whole = train(training_request(tmp_path / "whole"), lambda event: None)
    request = training_request(tmp_path / "killed")
    with pytest.raises(KilledError):
        train(request, kill_at(6))
    resumed = train(request, lambda event: None)
    log = [json.loads(line) for line in (request.output / "log.jsonl").read_text().splitlines()]
    points = {point["step"]: point["train_loss"] for point in log if "train_loss" in point}
    assert list(points) == [4, 6, 8, 12]
    assert (request.output / "log.jsonl").read_text() == (tmp_path / "whole/log.jsonl").read_text()
    by_hand = (4 * points[4] + 2 * points[6] + 2 * points[8] + 4 * points[12]) / STEPS
    assert resumed.train_loss == whole.train_loss == pytest.approx(by_hand)


def test_without_a_validation_split_the_last_adapter_is_kept_after_a_kill_too(training_request, small_set, tmp_path):
    from datasets import Dataset, load_from_disk

    rows = load_from_disk(str(small_set.dataset))
    rows["validation"] = Dataset.from_dict(
        {name: [] for name in rows.column_names["train"]}, features=rows["train"].features
    )
    rows.save_to_disk(str(tmp_path / "set"), num_shards=dict.fromkeys(rows, 1))
    whole, killed = (training_request(tmp_path / name, dataset=tmp_path / "set") for name in ("whole", "killed"))
    train(whole, lambda event: None)
    with pytest.raises(KilledError):
        train(killed, kill_at(10))
    reply = train(killed, lambda event: None)
    assert (reply.resumed_from, reply.best_step) == (8, None)
    for adapter in (whole.output / ADAPTER, checkpoint_at(killed.checkpoints, STEPS) / "adapter_model.safetensors"):
        assert digest_file(killed.output / ADAPTER) == digest_file(adapter)
