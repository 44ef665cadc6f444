"""The evaluation process."""

from videoguard.dataset.answer_schema import load_answer_schema
from videoguard.evaluation.custom import load_custom_metrics
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.evaluation.request import EvaluationReply, EvaluationRequest
from videoguard.evaluation.score_store import SCORE_STORE, ScoreStore
from videoguard.evaluation.scores import write_evaluation
from videoguard.evaluation.shard_scores import read_scores
from videoguard.inference.rows import read_rows
from videoguard.subprocesses import Emit


def evaluate(request: EvaluationRequest, emit: Emit) -> EvaluationReply:
    """Score the rows, write `evaluation.json` to `request.output`."""
    store = ScoreStore(request.state / SCORE_STORE)
    for file in request.scores:
        store.add(read_scores(file))
    evaluation = evaluate_rows(
        [row for file in request.rows for row in read_rows(file)],
        request.metrics,
        sentence_model=request.sentence_model,
        state=request.state,
        seed=request.seed,
        answer_schema=None if request.answer_schema is None else load_answer_schema(request.answer_schema),
        labels=request.labels,
        judge=request.judge,
        store=store,
        custom=[] if request.custom is None else load_custom_metrics(request.custom),
    )
    write_evaluation(evaluation, request.output)
    return EvaluationReply(means={metric: summary.mean for metric, summary in evaluation.summary.items()})


SERVED = (EvaluationRequest, evaluate)
