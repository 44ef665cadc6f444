"""What a report says about a judge: who it was, what it could not rate, and how far it agrees with the metrics."""

from videoguard.evaluation.judgements import JudgeReport
from videoguard.report.content import ReportContent
from videoguard.report.wording import finite, metrics_of


def judge_facts(content: ReportContent) -> dict[str, dict[str, str]]:
    """Names and values in a section for each model that was judged."""
    titles = {metric.name: metric.title for metric in metrics_of(content.models)}
    judged = [(model.heading, model.evaluation.judge) for model in content.models]
    return {f"Judge of {heading}": _facts(judge, titles) for heading, judge in judged if judge is not None}


def _facts(judge: JudgeReport, titles: dict[str, str]) -> dict[str, str]:
    unscored = ", ".join(f"{count:,} {kind}" for kind, count in judge.unscored.items() if count)
    facts = {
        "Judge": judge.model,
        "Server": judge.url or "none: it ran here",
        "Version of the prompt": judge.prompt_version,
        "Answers rated": f"{judge.scored:,} ({judge.asked:,} asked now, {judge.stored:,} known from earlier)",
        "Answers without a rating": unscored or "none",
    }
    for agreement in judge.agreement:
        rank, p_value = finite(agreement.spearman), finite(agreement.p_value)
        words = "cannot be told" if rank is None else f"Spearman's rank correlation {rank:+.3f}"
        tested = "" if rank is None or p_value is None else f", p {'< 0.0001' if p_value < 1e-4 else f'= {p_value:.4f}'}"
        name = titles.get(agreement.metric, agreement.metric)
        facts[f"Agreement with {name}"] = f"{words} over {agreement.n:,} samples{tested}"
    return facts
