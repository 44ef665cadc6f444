"""What is said about a judge."""

from tests.report.reading import lines_of, written
from videoguard.evaluation.judgements import Agreement, JudgeReport


def judged(make):
    judge = JudgeReport(
        model="judge-7b",
        prompt_version="2",
        asked=3,
        stored=1,
        scored=3,
        unscored={"unparsable": 1, "no reply": 0},
        agreement=[
            Agreement(metric="bert_similarity", n=3, spearman=0.5, p_value=0.25),
            Agreement(metric="meteor", n=2, spearman=None),
        ],
    )
    model = make.tuned_model()
    return model.model_copy(update={"evaluation": model.evaluation.model_copy(update={"judge": judge})})


def test_the_judge_and_its_agreement_stand_on_the_sheet_run(make, tmp_path):
    lines = lines_of(written(make.content(models=[make.base_model(), judged(make)]), tmp_path)["Run"])
    start = lines.index(["Judge of tuned, version 3"])
    assert lines[start + 1 : start + 8] == [
        ["Judge", "judge-7b"],
        ["Server", "none: it ran here"],
        ["Version of the prompt", "2"],
        ["Answers rated", "3 (3 asked now, 1 known from earlier)"],
        ["Answers without a rating", "1 unparsable"],
        ["Agreement with BERT similarity", "Spearman's rank correlation +0.500 over 3 samples, p = 0.2500"],
        ["Agreement with meteor", "cannot be told over 2 samples"],
    ]


def test_without_a_judge_nothing_is_said(make, tmp_path):
    assert not any("Judge" in str(line) for line in lines_of(written(make.content(), tmp_path)["Run"]))
