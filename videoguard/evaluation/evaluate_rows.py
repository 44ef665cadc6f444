"""Scores for answered rows: what was scored, what was not and why, and how sure the means are."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from videoguard.config import JudgeSection
from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.errors import UserError
from videoguard.evaluation.calibration import calibrate
from videoguard.evaluation.classification import classify
from videoguard.evaluation.guard import GUARD_FACTS, guard_metrics
from videoguard.evaluation.judging import FACTS as JUDGE_FACTS
from videoguard.evaluation.judging import JUDGE, agreement, judge_rows
from videoguard.evaluation.metrics.catalogue import Ingredients, KnownMetric, known_metrics
from videoguard.evaluation.metrics.row_metric import RowMetric, RowResults
from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.score_store import ScoreStore, StoredScore, score_keys
from videoguard.evaluation.scores import Classification, Evaluation, MetricFacts, MetricSummary, RowScores
from videoguard.evaluation.statistics import summarise
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.labels import exercise_name

_ROWS_FOR_TWO = 200


def evaluate_rows(
    rows: Sequence[AnswerRow],
    metrics: Sequence[str],
    *,
    sentence_model: str,
    state: Path,
    seed: int = 0,
    answer_schema: AnswerSchema | None = None,
    labels: Sequence[str] = (),
    custom: Sequence[KnownMetric] = (),
    judge: JudgeSection | None = None,
    partial: str | None = None,
    processes: int = 1,
    store: ScoreStore | None = None,
) -> Evaluation:
    """Score every row by every metric, and summarise each metric over all rows and over the rows of each label.

    A failed row is unscored by every metric; a metric whose resource is missing leaves every row unscored. Both keep
    their reason, and neither raises. Videos that were judged as streams have the figures of the guard beside the metrics.

    Args:
        rows: answers of one model.
        metrics: names, as in `videoguard.config.MetricName`.
        sentence_model: folder or hub name of the sentence encoder.
        state: state folder, where WordNet is.
        seed: of the bootstrap intervals.
        answer_schema: what `json_schema` asks of an answer.
        labels: the known labels; where there are none, those of the rows.
        custom: the user's own metrics, which are computed after those that are named.
        judge: who rates the answers; its ratings are the metric `judge`.
        processes: with two, a second one encodes sentences beside the other metrics, where there are rows enough.
        store: scores that are kept; what is not there is computed and added. The figures are the same without it.
        partial: why the figures are not for comparison, where the rows are not all.

    Raises:
        UserError: a metric is not known, or the judge cannot be loaded.
        UnavailableError: the judge does not answer, or the process that encodes sentences ended before its time.
    """
    chosen = choose_metrics(metrics, custom)
    with tempfile.TemporaryDirectory(prefix="video-guard-metrics-") as cache_dir:
        given = Ingredients(cache_dir, state, sentence_model, answer_schema, tuple(labels) or known_labels(rows))
        results = _all_results(chosen, given, rows, processes, store)
    facts = {metric.facts.name: metric.facts for metric in chosen}
    judged = guard_metrics(rows)
    results |= judged
    facts |= {known.name: known for known in GUARD_FACTS if known.name in judged}
    report = None
    if judge is not None:
        ratings, report = judge_rows(rows, judge, state)
        agreements = agreement(ratings["scores"], {name: result["scores"] for name, result in results.items()})
        report = report.model_copy(update={"agreement": agreements})
        results[JUDGE], facts[JUDGE] = ratings, JUDGE_FACTS
    return _assemble(rows, facts, results, seed).model_copy(update={"judge": report, "partial": partial})


def score_texts(
    rows: Sequence[AnswerRow], metrics: Sequence[str], given: Ingredients, store: ScoreStore
) -> dict[str, StoredScore]:
    """The scores of some rows by the metrics of which scores are kept, under the keys of the store.

    A metric whose resource is missing here has none.

    Args:
        rows: answers of one model, all or some of them.
        metrics: names; those whose scores are not kept are passed over.
        given: what the metrics need; its labels are those of the whole evaluation.
        store: what is not there is computed and added.

    Raises:
        UserError: a metric is not known.
    """
    answered = [row for row in rows if _failure(row) is None]
    found: dict[str, StoredScore] = {}
    for metric in choose_metrics(metrics):
        if metric.decided_by is not None and answered:
            with suppress(MissingResourceError):
                found |= _kept(metric, metric.decided_by(given), given, _texts_of(metric, answered), store)
    return found


def choose_metrics(names: Sequence[str], custom: Sequence[KnownMetric] = ()) -> list[KnownMetric]:
    """The metrics of these names, each once and in this order, and then the user's own.

    Raises:
        UserError: a metric is not known.
    """
    known = known_metrics() | {metric.facts.name: metric for metric in custom}
    for name in names:
        if name not in known:
            raise UserError(f"metric {name!r} is not known: it must be one of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys([*names, *(metric.facts.name for metric in custom)])]


def known_labels(rows: Sequence[AnswerRow]) -> tuple[str, ...]:
    """Labels of the rows, else the exercises that their wanted answers name, each once."""
    labels = (row.label if row.label is not None else exercise_name(row.reference) for row in rows)
    return tuple(dict.fromkeys(label for label in labels if label is not None))


def _assemble(
    rows: Sequence[AnswerRow], facts: Mapping[str, MetricFacts], results: Mapping[str, RowResults], seed: int
) -> Evaluation:
    """The evaluation that the results of the metrics, by name, come to."""
    failures = [_failure(row) for row in rows]
    scored = [_row_scores(position, row, failures[position], results) for position, row in enumerate(rows)]
    summaries = _summaries(rows, scored, list(facts), seed)
    return Evaluation(
        rows=scored,
        summary={
            name: summary.model_copy(update={"corpus": results[name].get("corpus")}) for name, summary in summaries.items()
        },
        by_label=_by_label(rows, scored, list(facts), seed),
        metrics=dict(facts),
        classifications={name: _classification(result) for name, result in results.items() if "classes" in result},
        calibration=calibrate(rows),
    )


def _all_results(
    chosen: Sequence[KnownMetric],
    given: Ingredients,
    rows: Sequence[AnswerRow],
    processes: int,
    store: ScoreStore | None,
) -> dict[str, RowResults]:
    encoding = [metric for metric in chosen if metric.encodes]
    others = [metric for metric in chosen if not metric.encodes]
    if processes < 2 or not encoding or not others or len(rows) < _ROWS_FOR_TWO:
        return {metric.facts.name: _results(metric, given, rows, store) for metric in chosen}
    from videoguard.evaluation.encoding_process import EncodingAhead

    ahead = EncodingAhead(given.sentence_model, _texts(encoding, rows), Path(given.cache_dir))
    found = {metric.facts.name: _results(metric, given, rows, store) for metric in others}
    given = replace(given, encoder=ahead.encoder)
    found |= {metric.facts.name: _results(metric, given, rows, store) for metric in encoding}
    return {metric.facts.name: found[metric.facts.name] for metric in chosen}


def _texts(metrics: Sequence[KnownMetric], rows: Sequence[AnswerRow]) -> list[str]:
    """What the metrics compare, each text once."""
    pairs = [(metric, row) for metric in metrics for row in rows if _failure(row) is None]
    texts = (_writable(text) for metric, row in pairs for text in (_given(row, metric.of), _wanted(row, metric.against)))
    return list(dict.fromkeys(texts))


def _failure(row: AnswerRow) -> str | None:
    if row.status == "ok" and row.answer is not None:
        return None
    return f"inference failed: {row.error or 'no answer was recorded'}"


def _results(metric: KnownMetric, given: Ingredients, rows: Sequence[AnswerRow], store: ScoreStore | None) -> RowResults:
    """Results over all rows: failed ones are kept from the metric, and what it lacks is the reason of all others."""
    failures = [_failure(row) for row in rows]
    results = RowResults(scores=[None] * len(rows), reasons=list(failures))
    answered = [position for position, failure in enumerate(failures) if failure is None]
    if not answered:
        return results
    texts = _texts_of(metric, [rows[position] for position in answered])
    try:
        scored, results["corpus"] = _scores(metric, given, texts, store)
    except MissingResourceError as missing:
        return RowResults(scores=[None] * len(rows), reasons=[failure or str(missing) for failure in failures])
    for position, found in zip(answered, scored, strict=True):
        results["scores"][position], results["reasons"][position] = found.score, found.reason
    by_position = dict(zip(answered, scored, strict=True))
    if any(found.classes is not None for found in scored):
        classes = {position: found.classes or [] for position, found in by_position.items()}
        results["classes"] = [classes.get(position, []) for position in range(len(rows))]
    if any(found.note is not None for found in scored):
        notes = {position: found.note for position, found in by_position.items()}
        results["notes"] = [notes.get(position) for position in range(len(rows))]
    return results


@dataclass(frozen=True)
class _Texts:
    """Answers, and what they are measured against."""

    predictions: list[str]
    references: list[str]

    def only(self, positions: Sequence[int]) -> "_Texts":
        return _Texts([self.predictions[at] for at in positions], [self.references[at] for at in positions])


def _texts_of(metric: KnownMetric, answered: Sequence[AnswerRow]) -> _Texts:
    return _Texts(
        [_writable(_given(row, metric.of)) for row in answered],
        [_writable(_wanted(row, metric.against)) for row in answered],
    )


def _scores(
    metric: KnownMetric, given: Ingredients, texts: _Texts, store: ScoreStore | None
) -> tuple[list[StoredScore], float | None]:
    """Scores of all texts, and the figure over them at once: of those that the store has, and those that are computed."""
    if store is None or metric.decided_by is None:
        return _computed(metric.build(given), texts)
    decided_by = metric.decided_by(given)
    known = _kept(metric, decided_by, given, texts, store)
    return [known[key] for key in score_keys(metric.facts.name, decided_by, texts.predictions, texts.references)], None


def _kept(
    metric: KnownMetric, decided_by: Mapping[str, object], given: Ingredients, texts: _Texts, store: ScoreStore
) -> dict[str, StoredScore]:
    """Scores of all texts by their keys: those of the store, and those that are computed and added to it."""
    keys = score_keys(metric.facts.name, decided_by, texts.predictions, texts.references)
    known = store.find(keys)
    missing = [at for at, key in enumerate(keys) if key not in known]
    if missing:
        found, _ = _computed(metric.build(given), texts.only(missing))
        new = {keys[at]: score for at, score in zip(missing, found, strict=True)}
        store.add(new)
        known |= new
    return known


def _computed(metric: RowMetric, texts: _Texts) -> tuple[list[StoredScore], float | None]:
    """What the metric says; a figure that is no number becomes a reason."""
    found = metric.compute(predictions=texts.predictions, references=texts.references)
    classes, notes = found.get("classes"), found.get("notes")
    scores = []
    for at, (score, reason) in enumerate(zip(found["scores"], found["reasons"], strict=True)):
        is_number = score is None or math.isfinite(score)
        scores.append(
            StoredScore(
                score=score if is_number else None,
                reason=reason if is_number else f"the metric gave {score}, which is no number",
                classes=None if classes is None else classes[at],
                note=None if notes is None else notes[at],
            )
        )
    return scores, found.get("corpus")


def _given(row: AnswerRow, of: str) -> str:
    answer = row.generated if of == "generated" and row.generated is not None else row.answer
    return answer or ""


def _wanted(row: AnswerRow, against: str) -> str:
    return row.reference if against == "reference" else row.label or ""


def _writable(text: str) -> str:
    # Half a surrogate pair is a valid character of a Python string, but not of the Arrow column that `evaluate` makes.
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _row_scores(position: int, row: AnswerRow, failure: str | None, results: Mapping[str, RowResults]) -> RowScores:
    reasons = {name: result["reasons"][position] for name, result in results.items()}
    notes = {name: result["notes"][position] for name, result in results.items() if "notes" in result}
    return RowScores(
        id=row.id,
        scores={name: result["scores"][position] for name, result in results.items()},
        reasons={name: reason for name, reason in reasons.items() if reason is not None},
        identified=exercise_name(row.answer) if failure is None and row.answer is not None else None,
        notes={name: note for name, note in notes.items() if note},
    )


def _classification(result: RowResults) -> Classification:
    scored = [score is not None for score in result["scores"]]
    return classify(
        [row for row, is_scored in zip(result["classes"], scored, strict=True) if is_scored], scored.count(False)
    )


def _summaries(
    rows: Sequence[AnswerRow], scored: Sequence[RowScores], names: Sequence[str], seed: int
) -> dict[str, MetricSummary]:
    groups = [row.group for row in rows]
    return {name: summarise([scores.scores[name] for scores in scored], groups, seed) for name in names}


def _by_label(
    rows: Sequence[AnswerRow], scored: Sequence[RowScores], names: Sequence[str], seed: int
) -> dict[str, dict[str, MetricSummary]]:
    """Summaries of each label, in the order of first appearance."""
    members: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        if row.label is not None:
            members.setdefault(row.label, []).append(position)
    return {
        label: _summaries([rows[at] for at in positions], [scored[at] for at in positions], names, seed)
        for label, positions in members.items()
    }
