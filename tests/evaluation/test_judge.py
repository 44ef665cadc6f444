from pathlib import Path

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.judge_server import judge_server
from videoguard.config import JudgeSection
from videoguard.errors import UnavailableError, UserError
from videoguard.evaluation.evaluate_rows import evaluate_rows
from videoguard.evaluation.judging import agreement, judge_rows
from videoguard.evaluation.rubric import judge_prompt, read_rating
from videoguard.inference.rows import AnswerRow


def row(number: int, answer: str | None, reference: str = "squat - go lower") -> AnswerRow:
    return AnswerRow(
        id=str(number),
        video=None,
        group=str(number),
        label=None,
        question="Which exercise?",
        reference=reference,
        status="failed" if answer is None else "ok",
        answer=answer,
        error="out of memory" if answer is None else None,
    )


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ("Score: 4\nReason: one detail is missing.", (4, "one detail is missing.")),
        ("**Score:** 5", (5, "")),
        ("score = 2/5 because it is another exercise", (2, "because it is another exercise")),
        ('{"score": 3, "reason": "in part"}', (3, 'reason": "in part')),
        ("I would give this a rating of 4.", None),
        ("Rating: 1", (1, "")),
        ("4", (4, "")),
        ("4/5\nGood.", (4, "Good.")),
        ("Score: 4.5", None),
        ("Score: 45", None),
        ("Score: 7", None),
        ("0", None),
        ("5 of the reps were good, but it is a lunge.", None),
        ("", None),
        ("I cannot rate this.", None),
    ],
)
def test_a_reply_is_a_rating_or_none(reply: str, rating: tuple[int, str] | None) -> None:
    found = read_rating(reply)
    assert (found and found[0]) == (rating and rating[0])
    if rating is not None and not reply.startswith("{"):
        assert found == rating


@given(st.text())
def test_every_reply_is_read_or_is_none(reply: str) -> None:
    found = read_rating(reply)
    assert found is None or 1 <= found[0] <= 5


def test_the_prompt_holds_question_wanted_answer_and_answer() -> None:
    prompt = judge_prompt("Which?", "squat - {go}", "lunge")
    assert "Question: Which?\nWanted answer: squat - {go}\nAnswer: lunge" in prompt


def test_a_served_judge_rates_what_can_be_rated_and_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "secret")
    rows = [row(0, "squat - go lower"), row(1, "lunge"), row(2, None), row(3, "squat", reference=" "), row(4, "gibberish")]

    def reply(prompt: str) -> str:
        answer = prompt.partition("\nAnswer: ")[2].partition("\n")[0]
        return {"squat - go lower": "Score: 5\nThe same.", "lunge": "Score: 1\nAnother."}.get(answer, "no idea")

    with judge_server(reply) as server:
        settings = JudgeSection(model="judge-7b", url=server.url, api_key_variable="JUDGE_KEY")
        results, report = judge_rows(rows, settings, tmp_path)
        assert results["scores"] == [5.0, 1.0, None, None, None]
        assert results["notes"][:2] == ["The same.", "Another."]
        assert results["reasons"][2:] == [
            "inference failed: out of memory",
            "the wanted answer is empty",
            "the judge's reply holds no rating from 1 to 5: 'no idea'",
        ]
        assert (report.asked, report.stored, report.scored) == (3, 0, 2)
        assert report.unscored == {"failed answer": 1, "no wanted answer": 1, "unparsable": 1}
        assert set(server.keys) == {"Bearer secret"}
        assert {(body["model"], body["temperature"]) for body in server.asked} == {("judge-7b", 0)}

        # Nothing is asked twice, in another order neither; a new answer alone is.
        again, second = judge_rows([*reversed(rows), row(5, "plank")], settings, tmp_path)
        assert again["scores"] == [None, None, None, 1.0, 5.0, None]
        assert (second.asked, second.stored) == (1, 3)
        assert len(server.asked) == 4


def test_a_reply_that_did_not_come_is_asked_for_again_and_one_that_is_refused_is_not_repeated(tmp_path: Path) -> None:
    refusals = iter([400])
    with judge_server(lambda prompt: next(refusals, "Score: 3") if "Answer: lunge" in prompt else "Score: 4") as server:
        settings = JudgeSection(model="judge", url=server.url, concurrency=1)
        first, report = judge_rows([row(0, "squat"), row(1, "lunge")], settings, tmp_path)
        assert first["scores"] == [4.0, None]
        assert first["reasons"][1] == "the judge did not answer: HTTPError: HTTP Error 400: Bad Request"
        assert report.unscored == {"no reply": 1}
        assert len(server.asked) == 2
        second, _ = judge_rows([row(0, "squat"), row(1, "lunge")], settings, tmp_path)
        assert second["scores"] == [4.0, 3.0]
        assert len(server.asked) == 3


def test_a_busy_server_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videoguard.evaluation.judge_models._PAUSE_S", 0.0)
    busy = iter([429, 503])
    with judge_server(lambda prompt: next(busy, "Score: 2")) as server:
        results, _ = judge_rows([row(0, "squat")], JudgeSection(model="judge", url=server.url), tmp_path)
    assert results["scores"] == [2.0]


def test_a_server_that_is_not_there_is_no_rating_of_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videoguard.evaluation.judge_models._PAUSE_S", 0.0)
    with judge_server(lambda prompt: 500) as server:
        url = server.url
    with pytest.raises(UnavailableError, match="does not answer"):
        judge_rows([row(0, "squat")], JudgeSection(model="judge", url=url, timeout_s=2), tmp_path)


def test_ratings_are_a_metric_whose_agreement_with_the_others_is_told(tmp_path: Path) -> None:
    answers = ["squat - go lower", "squat - go", "lunge - go lower", "lunge"]
    ratings = {"squat - go lower": 5, "squat - go": 4, "lunge - go lower": 2, "lunge": 1}

    def reply(prompt: str) -> str:
        return f"Score: {ratings[prompt.partition(chr(10) + 'Answer: ')[2].partition(chr(10))[0]]}\nAs it is."

    with judge_server(reply) as server:
        evaluation = evaluate_rows(
            [row(at, answer) for at, answer in enumerate(answers)],
            ["rouge_l", "exercise_accuracy", "json_validity"],
            sentence_model="",
            state=tmp_path,
            judge=JudgeSection(model="judge", url=server.url),
        )
    assert evaluation.summary["judge"].mean == 3.0
    assert evaluation.metrics["judge"].scale == "rating"
    assert evaluation.rows[0].notes == {"judge": "As it is."}
    assert evaluation.judge is not None
    by_metric = {each.metric: each for each in evaluation.judge.agreement}
    # ROUGE-L: 1, 0.8, 2/3, 0: the same order as the ratings.
    assert by_metric["rouge_l"].spearman == pytest.approx(1.0)
    assert by_metric["exercise_accuracy"].n == 4
    assert (by_metric["json_validity"].n, by_metric["json_validity"].spearman) == (0, None)


def test_agreement_is_scipys_spearman_over_the_rows_that_both_scored() -> None:
    judged: list[float | None] = [1, 2, 3, 4, 5, 5, None, 2]
    scores: list[float | None] = [0.1, 0.3, 0.2, 0.9, 0.8, 0.7, 0.5, None]
    (found,) = agreement(judged, {"meteor": scores})
    theirs = scipy.stats.spearmanr([1, 2, 3, 4, 5, 5], [0.1, 0.3, 0.2, 0.9, 0.8, 0.7])
    assert found.n == 6
    assert found.spearman == pytest.approx(theirs.statistic)
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert agreement([3.0] * 5, {"meteor": [0.1, 0.2, 0.3, 0.4, 0.5]})[0].spearman is None


def test_a_model_that_runs_here_replies_the_same_in_a_batch_and_alone(tmp_path: Path, tiny_language_model: Path) -> None:
    settings = JudgeSection(model=str(tiny_language_model), max_new_tokens=4)
    rows = [row(0, "squat"), row(1, "a much longer answer about how to go lower in a squat")]
    both, report = judge_rows(rows, settings, tmp_path / "both")
    # An untrained model writes no rating: each answer is unscored with what was written.
    assert both["scores"] == [None, None]
    assert report.unscored == {"unparsable": 2}
    alone = [judge_rows([each], settings, tmp_path / each.id)[0]["reasons"][0] for each in rows]
    assert both["reasons"] == alone


def test_a_folder_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no language model that can be loaded"):
        judge_rows([row(0, "squat")], JudgeSection(model=str(tmp_path)), tmp_path / "state")
