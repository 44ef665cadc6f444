from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.artifacts.garbage import Leftover, Rules, choose_artifacts, choose_leftovers

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def stored(record):
    """Four artifacts of 100, 0, 30 and 50 bytes, 40, 30, 20 and 10 days old; the third is the report of the first."""
    old = record("frames", "a", size=100, created=NOW - timedelta(days=40))
    empty = record("registry", "b", size=0, created=NOW - timedelta(days=30))
    report = record("report", "c", size=30, created=NOW - timedelta(days=20), parents=[old])
    new = record("training", "d", size=50, created=NOW - timedelta(days=10))
    return [old, empty, report, new]


def chosen(records, **rules):
    return {removal.record.key[0]: removal.reason for removal in choose_artifacts(records, Rules(**rules), NOW)}


def test_without_a_rule_every_artifact_stays(stored):
    assert chosen(stored) == {}


def test_by_age(stored):
    assert chosen(stored, older_than=timedelta(days=30)) == {"a": "age"}
    assert chosen(stored, older_than=timedelta(days=29)) == {"a": "age", "b": "age"}


def test_by_size_the_oldest_that_make_room_go_until_the_rest_fits(stored):
    assert chosen(stored, keep_bytes=180) == {}
    assert chosen(stored, keep_bytes=179) == {"a": "size"}
    assert chosen(stored, keep_bytes=80) == {"a": "size"}
    assert chosen(stored, keep_bytes=79) == {"a": "size", "c": "size"}
    assert chosen(stored, keep_bytes=0) == {"a": "size", "c": "size", "d": "size"}


def test_what_no_report_came_from(stored):
    assert chosen(stored, unreachable=True) == {"b": "no finished run", "d": "no finished run"}


def test_rules_add_up_and_the_size_counts_what_the_others_leave(stored):
    assert chosen(stored, older_than=timedelta(days=35), unreachable=True, keep_bytes=30) == {
        "a": "age",
        "b": "no finished run",
        "d": "no finished run",
    }


@given(st.lists(st.integers(0, 1000), max_size=8), st.integers(0, 4000))
def test_the_rest_always_fits_and_no_younger_one_goes_before_an_older(record, sizes, most):
    records = [
        record("frames", f"{index:x}", size=size, created=NOW - timedelta(days=100 - index))
        for index, size in enumerate(sizes)
    ]
    going = {removal.record.name for removal in choose_artifacts(records, Rules(keep_bytes=most), NOW)}
    kept = [each for each in records if each.name not in going]
    assert sum(each.size for each in kept) <= most
    last = max((index for index, each in enumerate(records) if each.name in going), default=-1)
    assert all(each.size == 0 for each in records[: last + 1] if each.name not in going)
    if last >= 0:
        assert sum(each.size for each in kept) + records[last].size > most


def test_drafts_and_damaged_artifacts_always_go_and_work_only_when_asked_for():
    kinds: tuple[Literal["draft", "damaged", "work"], ...] = ("draft", "damaged", "work")
    leftovers = [Leftover(kind, kind, 1, NOW - timedelta(days=3)) for kind in kinds]
    assert [left.kind for left in choose_leftovers(leftovers, Rules(), NOW)] == ["draft", "damaged"]
    assert len(choose_leftovers(leftovers, Rules(unfinished=True), NOW)) == 3
    assert len(choose_leftovers(leftovers, Rules(older_than=timedelta(days=2)), NOW)) == 3
    assert len(choose_leftovers(leftovers, Rules(older_than=timedelta(days=4)), NOW)) == 2
