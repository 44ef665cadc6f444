"""Killed and started again: a pre-training ends with the bytes of an undisturbed one."""

import shutil
from pathlib import Path

import pytest

from tests.kills import KilledError, kill_at
from videoguard.config import TinyModel
from videoguard.digests import digest_file
from videoguard.models.checkpoints import checkpoint_at, newest_whole_checkpoint, step_of
from videoguard.models.tiny import pretraining
from videoguard.models.tiny.pretraining import pretrain
from videoguard.models.tiny.request import PretrainingReply, PretrainingRequest
from videoguard.subprocesses import call

# A checkpoint every second step.
SIZE = TinyModel(pretraining_steps=8, pretraining_batch=4, pretraining_videos_per_form=1)


def request_in(folder: Path) -> PretrainingRequest:
    return PretrainingRequest(size=SIZE, seed=1, workers=1, checkpoints=folder / "checkpoints", output=folder / "output")


def bytes_of_model(request: PretrainingRequest) -> dict[str, str]:
    return {file.name: digest_file(file) for file in (request.output / "model").iterdir()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[PretrainingReply, dict[str, str]]:
    """Reply and files of a pre-training that nobody killed."""
    request = request_in(tmp_path_factory.mktemp("undisturbed"))
    return pretrain(request, lambda event: None), bytes_of_model(request)


@pytest.mark.slow
def test_a_sigkill_changes_no_byte_of_the_model(undisturbed, tmp_path):
    request = request_in(tmp_path)
    with pytest.raises(KilledError):
        call("videoguard.models.tiny", request, PretrainingReply, threads=1, timeout_s=300.0, on_event=kill_at(5))
    # As a retry of the step does: a fresh output, the same checkpoints.
    shutil.rmtree(request.output)
    events: list[dict[str, object]] = []
    reply = call("videoguard.models.tiny", request, PretrainingReply, threads=1, timeout_s=300.0, on_event=events.append)
    assert events[0] == {"step": 4, "of": 8, "metrics": {}, "note": "resumed from step 4"}
    assert [event["step"] for event in events[1:]] == [5, 6, 7, 8]
    assert (reply, bytes_of_model(request)) == undisturbed


def test_the_pre_training_goes_on_from_the_one_before_the_torn_one(undisturbed, tmp_path):
    request = request_in(tmp_path)
    with pytest.raises(KilledError):
        pretrain(request, kill_at(7))
    (checkpoint_at(request.checkpoints, 6) / "optimizer.pt").unlink()
    newest = newest_whole_checkpoint(request.checkpoints)
    assert newest is not None
    assert step_of(newest) == 4
    events: list[dict[str, object]] = []
    shutil.rmtree(request.output)
    assert (pretrain(request, events.append), bytes_of_model(request)) == undisturbed
    assert [event["step"] for event in events] == [4, 5, 6, 7, 8]


def test_a_pre_training_that_was_finished_is_not_continued(undisturbed, tmp_path):
    request = request_in(tmp_path)
    pretrain(request, lambda event: None)
    shutil.rmtree(request.output)
    events: list[dict[str, object]] = []
    assert (pretrain(request, events.append), bytes_of_model(request)) == undisturbed
    assert events == [{"step": 8, "of": 8, "metrics": {}, "note": "resumed from step 8"}]


def test_examples_put_together_from_parts_equal_those_of_the_processor(preprocessor):
    from videoguard.dataset.messages import conversation
    from videoguard.models.tiny.clips import render_clips

    clips = render_clips(1, seed=1, workers=1)
    mixture = pretraining._Mixture(clips, preprocessor, SIZE, seed=1)
    assert len({question for _, question, _ in mixture._drawn}) == 3
    for index, (clip, question, answer) in enumerate(mixture._drawn):
        whole = preprocessor.example(conversation(question, answer), clips[clip].frames)
        assert mixture[index].keys() == whole.keys()
        for name, tensor in whole.items():
            assert mixture[index][name].equal(tensor), name
