"""The sheet Timeline, read back."""

import json

from tests.report.reading import lines_of, written
from videoguard.evaluation.scores import Evaluation, MetricSummary
from videoguard.report.content import ModelResult
from videoguard.report.timeline import entry_pairs


def timeline(*entries):
    return json.dumps({"timeline": [dict(zip(("ts", "event", "fan_sentiment"), entry, strict=True)) for entry in entries]})


def timeline_content(make, answer, reference):
    rows = [make.answer_row("game", answer, reference=reference, label=None, video=None)]
    summary = {"timeline_valid": MetricSummary(n=1, unscored=0, mean=1.0)}
    return make.content(models=[ModelResult(name="tuned", rows=rows, evaluation=Evaluation(rows=[], summary=summary))])


def test_entries_stand_beside_each_other_by_their_time(make, tmp_path):
    wanted = timeline(("Q1 01:00", "=dunk", "pos"), ("Q1 02:00", "foul", "neg"), ("Q1 02:00", "shot", "pos"))
    answer = timeline(("Q1 02:00", "a foul", "pos"), ("Q4 09:00", "a win", "pos"), ("Q1 01:00", "dunk", "pos"))
    book = written(timeline_content(make, answer, wanted), tmp_path)
    assert book.sheetnames == ["Summary", "Results", "Per exercise", "Timeline", "Errors", "Run"]
    lines = lines_of(book["Timeline"])
    start = next(place for place, line in enumerate(lines) if line[0] == "Sample")
    assert lines[start + 1 :] == [
        ["game", "Q1 01:00", "=dunk", "pos", "dunk", "pos", "yes"],
        ["game", "Q1 02:00", "foul", "neg", "a foul", "pos", "no"],
        ["game", "Q1 02:00", "shot", "pos", "–", "–", "–"],
        ["game", "Q4 09:00", "–", "–", "a win", "pos", "–"],
    ]


def test_an_answer_that_is_no_timeline_has_none_of_the_entries(make):
    wanted = timeline(("Q1 01:00", "dunk", "pos"))
    for answer in (None, "no JSON", "[1]", '{"timeline": [3, null]}', '{"timeline": {}}'):
        (pair,) = entry_pairs(timeline_content(make, answer, wanted))
        assert pair.answered is None


def test_without_timeline_metrics_there_is_no_sheet(make, tmp_path):
    assert "Timeline" not in written(make.content(), tmp_path).sheetnames
