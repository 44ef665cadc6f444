"""What a run computed and what it reused."""

from datetime import UTC, datetime, timedelta

from videoguard.artifacts.records import Artifact
from videoguard.summary import StepAccount, account

START = datetime(2026, 3, 1, tzinfo=UTC)


def artifact(step: str, begun: float, seconds: float, **facts: object) -> Artifact:
    """An artifact whose making began some seconds after the run did, or before it."""
    created = START + timedelta(seconds=begun)
    return Artifact(step=step, key="0" * 32, digest="d", facts=facts, created=created, seconds=seconds)


def test_what_was_made_side_by_side_counts_once():
    shards = [artifact("frames", 0, 10), artifact("frames", 5, 10), artifact("frames", 2, 3), artifact("frames", 20, 4)]
    (frames,) = account(shards, START)
    assert frames == StepAccount(step="frames", computed=4, reused=0, seconds=19, saved_seconds=0)


def test_what_was_there_is_time_saved():
    made = [artifact("manifest", -100, 1), artifact("frames", -90, 10), artifact("frames", 1, 2), artifact("report", 4, 1)]
    assert account(made, START) == [
        StepAccount(step="manifest", computed=0, reused=1, seconds=0, saved_seconds=1),
        StepAccount(step="frames", computed=1, reused=1, seconds=2, saved_seconds=10),
        StepAccount(step="report", computed=1, reused=0, seconds=1, saved_seconds=0),
    ]


def test_what_shards_took_from_earlier_ones_is_told_of_those_that_this_run_made():
    shards = [
        artifact("frames", 0, 1, decoded=1000, quarantined=1, taken=990),
        artifact("frames", 0, 1, decoded=5, quarantined=0, taken=0),
        artifact("frames", -100, 9, decoded=70, quarantined=0, taken=60),
    ]
    (frames,) = account(shards, START)
    assert frames.note == "16 of 1,006 videos decoded, the others taken from earlier shards"
    (untouched,) = account(shards[1:], START)
    assert untouched.note == ""
