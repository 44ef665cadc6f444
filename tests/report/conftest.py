"""A small report whose every figure can be worked out by hand."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from videoguard.config import Band
from videoguard.evaluation.comparison import ChangedSample, Comparison, PairedDifference
from videoguard.evaluation.scores import (
    UNNAMED,
    ClassFigures,
    Classification,
    ConfusionCell,
    Evaluation,
    MetricFacts,
    MetricSummary,
    RowScores,
)
from videoguard.inference.rows import AnswerRow
from videoguard.report.content import ModelResult, Quarantined, ReportContent, RunFacts

BANDS = {
    "bert_similarity": Band(green=0.7, yellow=0.4),
    "exercise_accuracy": Band(green=0.9, yellow=0.7),
}
METRICS = {
    fact.name: fact
    for fact in (
        MetricFacts(name="bert_similarity", title="BERT similarity", about="Cosine of the embeddings."),
        MetricFacts(name="meteor", title="METEOR"),
        MetricFacts(name="rouge_l", title="ROUGE-L"),
        MetricFacts(name="exercise_accuracy", title="Exercise identification", scale="yes_no"),
        MetricFacts(name="json_validity", title="JSON validity", scale="yes_no"),
        MetricFacts(name="judge", title="Judge", scale="rating"),
        MetricFacts(name="redundancy", title="Redundancy", better="lower"),
    )
}


def answer_row(id_, answer="squat - good", **changes):
    fields = {
        "id": id_,
        "video": f"clips/{id_}.mp4",
        "group": id_,
        "label": "squat",
        "question": "Which exercise?",
        "reference": "squat - good",
        "status": "failed" if answer is None else "ok",
        "answer": answer,
        "new_tokens": None if answer is None else 5,
        "error": "the decoder gave up" if answer is None else None,
    }
    return AnswerRow(**(fields | changes))


def scores_of(id_, bert, exercise, identified="squat"):
    given = {"bert_similarity": bert, "exercise_accuracy": exercise}
    reasons = {metric: "no reference" for metric, score in given.items() if score is None}
    return RowScores(id=id_, scores=given, reasons=reasons, identified=identified)


def base_model():
    rows = [answer_row("a", "lunge - bad"), answer_row("b"), answer_row("c", label="lunge"), answer_row("d", label=None)]
    scores = [
        scores_of("a", 0.25, 0.0, "lunge"),
        scores_of("b", 0.5, 1.0),
        scores_of("c", 0.75, 0.0),
        scores_of("d", 0.5, None),
    ]
    bert = MetricSummary(n=4, unscored=0, mean=0.5, ci_low=0.3, ci_high=0.7, median=0.5, std=0.2041, min=0.25, max=0.75)
    exercise = MetricSummary(n=3, unscored=1, mean=1 / 3, ci_low=0.0, ci_high=1.0, median=0.0, std=0.5774, min=0.0, max=1.0)
    by_label = {
        "squat": {
            "bert_similarity": MetricSummary(n=2, unscored=0, mean=0.375),
            "exercise_accuracy": MetricSummary(n=2, unscored=0, mean=0.5),
        },
        "lunge": {
            "bert_similarity": MetricSummary(n=1, unscored=0, mean=0.75),
            "exercise_accuracy": MetricSummary(n=1, unscored=0, mean=0.0),
        },
    }
    summary = {"bert_similarity": bert, "exercise_accuracy": exercise}
    evaluation = Evaluation(rows=scores, summary=summary, by_label=by_label, metrics=METRICS)
    return ModelResult(name="base", rows=rows, evaluation=evaluation)


def tuned_model():
    """Sample c failed; a is green, b exactly on the yellow threshold, d red and without a wanted exercise."""
    rows = [
        answer_row("a"),
        answer_row("b", "squat - 好 🏋️"),
        answer_row("c", None, label="lunge"),
        answer_row("d", label=None),
    ]
    failure = dict.fromkeys(BANDS, "inference failed: the decoder gave up")
    scores = [
        scores_of("a", 0.95, 1.0),
        scores_of("b", 0.4, 1.0),
        RowScores(id="c", scores=dict.fromkeys(BANDS), reasons=failure),
        scores_of("d", 0.15, None),
    ]
    bert = MetricSummary(n=3, unscored=1, mean=0.5, ci_low=0.15, ci_high=0.95, median=0.4, std=0.4093, min=0.15, max=0.95)
    exercise = MetricSummary(n=2, unscored=2, mean=1.0, ci_low=1.0, ci_high=1.0, median=1.0, std=0.0, min=1.0, max=1.0)
    by_label = {
        "squat": {
            "bert_similarity": MetricSummary(n=2, unscored=0, mean=0.675),
            "exercise_accuracy": MetricSummary(n=2, unscored=0, mean=1.0),
        },
        "lunge": {metric: MetricSummary(n=0, unscored=1) for metric in BANDS},
    }
    summary = {"bert_similarity": bert, "exercise_accuracy": exercise}
    evaluation = Evaluation(
        rows=scores,
        summary=summary,
        by_label=by_label,
        metrics=METRICS,
        classifications={"exercise_accuracy": classification()},
    )
    return ModelResult(name="tuned", version="3", rows=rows, evaluation=evaluation)


def classification():
    """Of ten squats eight are named so, one is taken for a lunge and one answer names nothing; all five lunges are right."""
    return Classification(
        n=15,
        unscored=1,
        accuracy=13 / 15,
        macro_f1=0.9,
        classes=[
            ClassFigures(label="squat", wanted=10, named=8, right=8, accuracy=0.8, precision=1.0, f1=16 / 18),
            ClassFigures(label="lunge", wanted=5, named=6, right=5, accuracy=1.0, precision=5 / 6, f1=10 / 11),
        ],
        confusion=[
            ConfusionCell(wanted="squat", answered="squat", count=8),
            ConfusionCell(wanted="squat", answered="lunge", count=1),
            ConfusionCell(wanted="squat", answered=UNNAMED, count=1),
            ConfusionCell(wanted="lunge", answered="lunge", count=5),
        ],
    )


def comparison():
    """The tuned model against the base: bert over a, b and d; the exercise over a and b."""
    bert = PairedDifference(
        metric="bert_similarity",
        first="base",
        second="tuned",
        n=3,
        unscored=1,
        first_mean=0.4166,
        second_mean=0.5,
        difference=0.0834,
        ci_low=-0.35,
        ci_high=0.7,
        better=1,
        equal=0,
        worse=2,
        test="paired bootstrap",
        p_value=0.62,
        p_corrected=1.0,
        verdict="no difference shown",
    )
    exercise = PairedDifference(metric="exercise_accuracy", first="base", second="tuned", n=0, unscored=4)
    changed = ChangedSample(
        id="a", metric="bert_similarity", first="base", second="tuned", first_score=0.25, second_score=0.95
    )
    return Comparison(models=["base", "tuned"], samples=4, pairs=[exercise, bert], changed=[changed], tests=1)


def content(**changes):
    fields = {
        "title": "Nightly evaluation",
        "created": datetime(2026, 10, 17, 2, 41, tzinfo=UTC),
        "models": [base_model(), tuned_model()],
        "bands": BANDS,
        "quarantine": [Quarantined(video="broken/cut.mp4", reason="no frame could be decoded")],
        "row_problems": ["row 7, video: is missing"],
        "facts": RunFacts(sections={"What was run": {"Recipe": "qved", "MLflow page": "http://127.0.0.1:5000/#/runs/1"}}),
    }
    return ReportContent(**(fields | changes))


@pytest.fixture(scope="session")
def make():
    """Builders of report content, and what is known of the metrics."""
    return SimpleNamespace(
        content=content,
        base_model=base_model,
        tuned_model=tuned_model,
        answer_row=answer_row,
        scores_of=scores_of,
        comparison=comparison,
        metrics=METRICS,
    )
