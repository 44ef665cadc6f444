"""Nights and samples for tests."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from videoguard.evaluation.scores import MetricFacts
from videoguard.nights.night import AskedModel, Night, NightSample

FACTS = {
    "right": MetricFacts(name="right", title="Right", scale="yes_no"),
    "likeness": MetricFacts(name="likeness", title="Likeness"),
    "redundancy": MetricFacts(name="redundancy", title="Redundancy", better="lower"),
}


def night(day: int = 1, **changes: object) -> Night:
    fields: dict[str, object] = {
        "recipe": "trial",
        "model": "walks",
        "started": datetime(2026, 11, 1, 2, tzinfo=UTC) + timedelta(days=day - 1),
        "digest": f"{day:08d}",
        "scored_by": "code",
        "samples": 0,
        "asked": {"champion": AskedModel(version="1")},
        "outcome": "passed",
        "reasons": [],
    }
    return Night.model_validate(fields | changes)


def samples(scores: Mapping[str, Sequence[float | None]], first: int = 0, **changes: object) -> list[NightSample]:
    """One sample a video, numbered from `first`, with the champion's scores."""
    count = len(next(iter(scores.values())))
    return [
        NightSample.model_validate(
            {
                "key": f"k{first + number}",
                "id": f"s{first + number}",
                "content": f"c{first + number}",
                "group": f"c{first + number}",
                "label": "squat",
                "scores": {"champion": {metric: values[number] for metric, values in scores.items()}},
                **changes,
            }
        )
        for number in range(count)
    ]
