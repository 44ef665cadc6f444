"""Metrics of the user's own: functions under `@metric(…)` in a Python file that the recipe names."""

import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal

from videoguard.errors import UserError
from videoguard.evaluation.guard import GUARD_FACTS
from videoguard.evaluation.metrics.catalogue import Ingredients, KnownMetric, known_metrics
from videoguard.evaluation.metrics.row_metric import RowMetric
from videoguard.evaluation.scores import MetricFacts, Scale

Scoring = Callable[[list[str], list[str]], Sequence[float | None]]
"""From answers and wanted answers to scores, one a row; None leaves a row unscored."""

_MARK = "video_guard_metric"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = {"judge", *(facts.name for facts in GUARD_FACTS)}
_TRIAL = (["squat - go lower", ""], ["squat - good", "plank"])


def metric(
    name: str,
    *,
    title: str | None = None,
    scale: Scale = "share",
    better: Literal["higher", "lower"] | None = "higher",
    about: str = "",
) -> Callable[[Scoring], Scoring]:
    """Make a metric of a function that takes all answers and all wanted answers, and returns their scores.

    Args:
        name: small letters, digits and underscores; as the metric is called in the config, MLflow, JSON and workbook.
        title: for readers; made of the name where it is None.
        scale: `yes_no` (0 or 1), `share` (0 to 1), `rating` (1 to 5) or `count` (any number).
        better: which way is better; None for neither.
        about: what it measures, in a sentence.
    """
    words = title or name.replace("_", " ").capitalize()

    def mark(function: Scoring) -> Scoring:
        setattr(function, _MARK, MetricFacts(name=name, title=words, scale=scale, better=better, about=about))
        return function

    return mark


def load_custom_metrics(path: Path) -> list[KnownMetric]:
    """The metrics of a file, in the order of their definition, each tried on two rows.

    Raises:
        UserError: the file cannot be read or run, has no metric, or one of them has a wrong name or does not give scores.
    """
    module = _run(path)
    marks = [(getattr(each, _MARK, None), each) for each in vars(module).values()]
    marked = [(facts, each) for facts, each in marks if isinstance(facts, MetricFacts)]
    if not marked:
        raise UserError(f'evaluation.custom {path} has no metric: put @metric("my_name") above a function')
    found: dict[str, KnownMetric] = {}
    for facts, function in marked:
        _check_name(path, facts.name, found)
        found[facts.name] = KnownMetric(facts, _builder(path, facts, function))
        _try(path, facts.name, function)
    return list(found.values())


def check_scores(scores: object, rows: int) -> str | None:
    """What is wrong with what a function returned for so many rows; None where nothing is."""
    if not isinstance(scores, Sequence) or isinstance(scores, str):
        return f"it returned {type(scores).__name__}: it must return a list, a number or None for each row"
    if len(scores) != rows:
        return f"it returned {len(scores)} scores for {rows} rows: it must return one for each"
    wrong = next((score for score in scores if score is not None and not isinstance(score, float | int)), None)
    return None if wrong is None else f"it returned the score {wrong!r}: a score is a number or None"


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"video_guard_custom_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UserError(f"evaluation.custom {path} is no Python file: give the path of a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        raise UserError(f"evaluation.custom {path} cannot be run: {type(fault).__name__}: {fault}") from fault
    return module


def _check_name(path: Path, name: str, found: dict[str, KnownMetric]) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"evaluation.custom {path}: metric {name!r}: a name has small letters, digits and underscores")
    if name in found or name in _TAKEN or name in known_metrics():
        raise UserError(f"evaluation.custom {path}: metric {name!r} exists already: give it another name")


def _try(path: Path, name: str, function: Scoring) -> None:
    answers, wanted = _TRIAL
    try:
        fault = check_scores(function([*answers], [*wanted]), len(answers))
    except Exception as raised:  # noqa: BLE001  whatever the user's code raises is the user's to mend
        fault = f"it raised {type(raised).__name__}: {raised}"
    if fault is not None:
        raise UserError(f"evaluation.custom {path}: metric {name!r}, tried on {answers!r} and {wanted!r}: {fault}")


def _builder(path: Path, facts: MetricFacts, function: Scoring) -> Callable[[Ingredients], RowMetric]:
    def build(given: Ingredients) -> RowMetric:
        # With the library that its class is of, which takes seconds to import.
        from videoguard.evaluation.metrics.custom_function import CustomFunction

        return CustomFunction(given.cache_dir, function, f"metric {facts.name} of {path.name}", facts.about)

    return build
