"""Which models share a process, and which may not."""

from typing import Any

import pytest

from tasks.inference import one_process
from videoguard import subprocesses
from videoguard.config import RunConfig

BOTH = {"videoguard.inference", "videoguard.evaluation"}


@pytest.mark.parametrize(
    ("sections", "kept"),
    [
        ({}, BOTH),
        ({"evaluation": {"judge": {"model": "judge-7b", "url": "http://127.0.0.1:8000/v1"}}}, BOTH),
        # Its weights would lie beside those of the model that answers.
        ({"evaluation": {"judge": {"model": "judge-7b"}}}, set()),
        # It may change whatever it likes in its process.
        ({"evaluation": {"custom": "mine.py"}}, {"videoguard.inference"}),
        # It gives its memory back when its process ends.
        ({"inference": {"engine": "vllm"}}, set()),
    ],
)
def test_models_share_a_process_where_none_is_in_the_way_of_another(sections: dict[str, Any], kept: set[str]) -> None:
    given = {"name": "trial", "data": {"manifest": "list.json"}, "model": {"tiny": {}}, **sections}
    with one_process(RunConfig.model_validate(given)):
        assert (subprocesses._kept.modules if subprocesses._kept else set()) == kept
    assert subprocesses._kept is None
