from pathlib import Path

import pytest

from videoguard.config import EvaluationSection
from videoguard.errors import UserError
from videoguard.evaluation.custom import load_custom_metrics
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.inference.rows import AnswerRow

GOOD = """
from videoguard.evaluation.custom import metric

def helper(text):
    return "left" in text

@metric("names_side", title="Names the side", scale="yes_no", about="The answer tells left from right as wanted.")
def names_side(predictions, references):
    return [None if not helper(wanted) else helper(answer) for answer, wanted in zip(predictions, references)]

@metric("digits", scale="count", better=None)
def digits(predictions, references):
    return [sum(map(str.isdigit, answer)) for answer in predictions]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "my_metrics.py"
    path.write_text(text, encoding="utf-8")
    return path


def rows(*pairs: tuple[str, str]) -> list[AnswerRow]:
    return [
        AnswerRow(
            id=str(at), video=None, group=str(at), label=None, question="", reference=wanted, status="ok", answer=answer
        )
        for at, (answer, wanted) in enumerate(pairs)
    ]


def test_functions_of_a_file_become_metrics_after_the_named_ones(tmp_path: Path) -> None:
    custom = load_custom_metrics(write(tmp_path, GOOD))
    answered = rows(("lift the left arm", "the left arm"), ("the arm 12", "left"), ("a", "right"))
    evaluation = evaluate_rows(answered, ["rouge_l"], sentence_model="", state=tmp_path, custom=custom)
    assert list(evaluation.summary) == ["rouge_l", "names_side", "digits"]
    assert [row.scores["names_side"] for row in evaluation.rows] == [1.0, 0.0, None]
    assert evaluation.rows[2].reasons["names_side"] == "metric names_side of my_metrics.py gave no score"
    assert evaluation.summary["digits"].max == 2.0
    facts = evaluation.metrics["names_side"]
    assert (facts.title, facts.scale, facts.better) == ("Names the side", "yes_no", "higher")
    assert evaluation.metrics["digits"].title == "Digits"


def test_a_function_that_fails_on_real_rows_leaves_them_unscored_with_its_words(tmp_path: Path) -> None:
    text = (
        GOOD
        + """
@metric("fragile")
def fragile(predictions, references):
    return [1 / (len(answer) - 6) for answer in predictions]
"""
    )
    custom = load_custom_metrics(write(tmp_path, text))
    evaluation = evaluate_rows(rows(("sixsix", "a")), ["rouge_l"], sentence_model="", state=tmp_path, custom=custom)
    assert (
        evaluation.rows[0].reasons["fragile"]
        == "metric fragile of my_metrics.py: it raised ZeroDivisionError: division by zero"
    )
    assert evaluation.rows[0].scores["rouge_l"] == 0.0


HEAD = "from videoguard.evaluation.custom import metric\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:", "cannot be run: SyntaxError"),
        ("import no_such_module", "cannot be run: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1", "has no metric"),
        (HEAD + "@metric('meteor')\ndef f(p, r): return [0.0] * len(p)", "metric 'meteor' exists already"),
        (HEAD + "@metric('judge')\ndef f(p, r): return [0.0] * len(p)", "metric 'judge' exists already"),
        (HEAD + "@metric('My Metric')\ndef f(p, r): return [0.0] * len(p)", "small letters"),
        (HEAD + "@metric('mine')\ndef f(p, r): return 1.0", "it returned float: it must return a list"),
        (HEAD + "@metric('mine')\ndef f(p, r): return [1.0]", "it returned 1 scores for 2 rows"),
        (HEAD + "@metric('mine')\ndef f(p, r): return ['good', 1]", "it returned the score 'good'"),
        (HEAD + "@metric('mine')\ndef f(p, r): return p[5]", "it raised IndexError"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=r"my_metrics\.py") as refusal:
        load_custom_metrics(write(tmp_path, text))
    assert words in str(refusal.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Python file"):
        load_custom_metrics(tmp_path / "absent.py")


def test_the_default_metrics_need_no_file() -> None:
    assert EvaluationSection().custom is None
