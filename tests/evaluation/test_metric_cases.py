"""Metrics against cases in data files: an answer, what was wanted, the expected score, and its tolerance."""

import json
from pathlib import Path
from typing import Any

import pytest

from videoguard.config import EvaluationSection
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.inference.rows import AnswerRow

FOLDER = Path(__file__).parent / "cases"
LABELS = {
    "exercise": ["push-up", "squat", "sumo squat", "lunge", "plank"],
    "action": ["flipping pancake", "reading book", "drawing on a tablet", "playing with toys"],
}


def load(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.jsonl")), ids=lambda file: file.stem)
def test_every_case_of_a_file(file: Path, state: Path) -> None:
    cases = load(file)
    rows = [
        AnswerRow(
            id=str(number),
            video=None,
            group=str(number),
            label=case.get("label") or None,
            question="?",
            reference=case["wanted"],
            status="ok",
            answer=case["answer"],
        )
        for number, case in enumerate(cases)
    ]
    metrics = list(dict.fromkeys(case["metric"] for case in cases))
    encoder = EvaluationSection().sentence_model
    evaluation = evaluate_rows(rows, metrics, sentence_model=encoder, state=state, labels=LABELS.get(file.stem, ()))
    wrong = []
    for case, scored in zip(cases, evaluation.rows, strict=True):
        score = scored.scores[case["metric"]]
        if case["expected"] is None:
            right = score is None and scored.reasons[case["metric"]]
        else:
            right = score is not None and abs(score - case["expected"]) <= case["tolerance"]
        if not right:
            wrong.append(f"{case['metric']}: {case['why']}: {score} in place of {case['expected']}")
    assert wrong == []


def test_corpus_bleu_is_no_mean_of_rows(tmp_path: Path) -> None:
    # "the cat" has no fourfold: alone its BLEU counts two orders; with the other row, 8 of 8 words, 6 of 6 pairs, 4 of 4
    # triples and 3 of 3 fourfolds match, and the brevity is exp(1 - 12/8).
    texts = [("the cat sat on the mat", "the cat sat on the mat"), ("the cat", "the cat sat on the mat")]
    rows = [
        AnswerRow(
            id=str(at), video=None, group=str(at), label=None, question="", reference=wanted, status="ok", answer=answer
        )
        for at, (answer, wanted) in enumerate(texts)
    ]
    summary = evaluate_rows(rows, ["bleu"], sentence_model="", state=tmp_path).summary["bleu"]
    assert summary.mean == pytest.approx((1 + 0.1353352832366127) / 2)
    assert summary.corpus == pytest.approx(0.6065306597126334)
