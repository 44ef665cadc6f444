"""What the commands `score` and `compare` share: scoring, the workbook, and what the terminal and JSON show."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shlex import join

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from commands.figures import calibration_words, difference_words, interval_words, p_words, summary_words
from videoguard.config import Band, ScoringConfig
from videoguard.evaluation.comparing import ComparedModel
from videoguard.evaluation.comparison import Comparison, PairedDifference
from videoguard.evaluation.judgements import JudgeReport
from videoguard.evaluation.scores import Evaluation
from videoguard.inference.rows import AnswerRow
from videoguard.recipes import flatten

_MOST_LISTED = 20


def score_answers(
    name: str, rows: Sequence[AnswerRow], config: ScoringConfig, state: Path, partial: str | None
) -> ComparedModel:
    """One model's answers with their scores.

    Raises:
        UserError: a metric, its file or the JSON Schema of answers is refused.
    """
    from videoguard.dataset.answer_schema import load_answer_schema
    from videoguard.evaluation.custom import load_custom_metrics
    from videoguard.evaluation.evaluate_rows import evaluate_rows

    evaluation, answer = config.evaluation, config.dataset.answer
    schema = None if answer is None else answer.json_schema
    scored = evaluate_rows(
        rows,
        evaluation.metrics,
        sentence_model=evaluation.sentence_model,
        state=state,
        seed=config.seed,
        answer_schema=None if schema is None else load_answer_schema(schema),
        labels=evaluation.labels,
        custom=[] if evaluation.custom is None else load_custom_metrics(evaluation.custom),
        judge=evaluation.judge,
        partial=partial,
        processes=2,
    )
    return ComparedModel(name, rows, scored)


def write_scored(
    models: Sequence[ComparedModel],
    comparison: Comparison | None,
    config: ScoringConfig,
    *,
    out: Path | None,
    stem: str,
    sources: Mapping[str, str],
    problems: Sequence[str] = (),
    media_root: Path | None = None,
) -> Path:
    """Write the workbook and, where it is wanted, the page beside it; return where the workbook is.

    Raises:
        UserError: it cannot be written there.
    """
    from videoguard.report.content import settings_text
    from videoguard.report.scored import scored_content
    from videoguard.report.web_page import write_page
    from videoguard.report.workbook import write_workbook

    created = datetime.now(UTC)
    path = out or config.report.folder / f"{stem}-{created:%Y%m%d-%H%M%S}.xlsx"
    content = scored_content(
        models,
        comparison,
        report=config.report,
        created=created,
        settings=settings_text(flatten(config.model_dump(mode="json"))),
        sources=sources,
        command=join(["video-guard", *sys.argv[1:]]),
        problems=problems,
        partial=models[-1].evaluation.partial,
        media_root=media_root,
    )
    write_workbook(content, path)
    if config.report.html:
        write_page(content, path.with_suffix(".html"))
    return path


def scores_document(model: ComparedModel, bands: Mapping[str, Band]) -> dict[str, object]:
    """`{"summary", "rows"}` of one model, the rows in the order of the input."""
    evaluation = model.evaluation
    summary = {
        metric: {**figures.model_dump(mode="json"), "bands": _band_counts(evaluation, metric, bands.get(metric))}
        for metric, figures in evaluation.summary.items()
    }
    rows = [
        {"id": row.id, "status": row.status, "scores": scores.scores, "error": row.error, "unscored": scores.reasons}
        for row, scores in zip(model.rows, evaluation.rows, strict=True)
    ]
    classes = {name: found.model_dump(mode="json") for name, found in evaluation.classifications.items()}
    judge = None if evaluation.judge is None else evaluation.judge.model_dump(mode="json")
    calibration = None if evaluation.calibration is None else evaluation.calibration.model_dump(mode="json")
    return {
        "summary": summary,
        "rows": rows,
        "classes": classes,
        "calibration": calibration,
        "judge": judge,
        "partial": evaluation.partial,
    }


def print_scores(console: Console, models: Sequence[ComparedModel], comparison: Comparison | None, title: str) -> None:
    """The models side by side, and the pairs of them with what the tests say."""
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    for model in models:
        table.add_column(escape(model.name), justify="right", overflow="fold")
    for metric in dict.fromkeys(metric for model in models for metric in model.evaluation.summary):
        found = [model.evaluation.summary.get(metric) for model in models]
        table.add_row(metric, *("" if summary is None else summary_words(summary) for summary in found))
    console.print(table)
    for name, classes in models[-1].evaluation.classifications.items():
        if classes.macro_f1 is not None:
            number = f"{len(classes.classes):,} classes"
            console.print(
                f"{name}: macro-F1 {classes.macro_f1:.3f} over {number} ({escape(models[-1].name)})", highlight=False
            )
    for model in models:
        if model.evaluation.calibration is not None:
            words = f"labels of {model.name}: {calibration_words(model.evaluation.calibration)}"
            console.print(escape(words), highlight=False)
        if model.evaluation.judge is not None:
            console.print(_judge_words(model.name, model.evaluation.judge), highlight=False)
    partial = models[-1].evaluation.partial
    if partial is not None:
        console.print(f"Partial ({partial}): not for comparison", style="yellow")
    if comparison is not None:
        _print_comparison(console, comparison)


def print_problems(console: Console, models: Sequence[ComparedModel], problems: Sequence[str]) -> None:
    """Rows that could not be read, and answers that failed."""
    failed = {model.name: [row for row in model.rows if row.status == "failed"] for model in models}
    lists = {"Rows that could not be read": list(problems)}
    lists |= {f"Failed answers of {name}": [f"{row.id}: {row.error}" for row in rows] for name, rows in failed.items()}
    for heading, lines in lists.items():
        if lines:
            console.print(f"\n{escape(heading)}: {len(lines):,}", style="yellow")
        for line in lines[:_MOST_LISTED]:
            console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
        if len(lines) > _MOST_LISTED:
            console.print(f"  … and {len(lines) - _MOST_LISTED} more: see the sheet Errors of the workbook")


def _judge_words(name: str, judge: JudgeReport) -> str:
    """Who judged, how many, and how far that agrees with the other metrics."""
    found = [f"{each.metric} {each.spearman:+.2f} (n={each.n})" for each in judge.agreement if each.spearman is not None]
    unscored = "".join(f", {number} {kind}" for kind, number in judge.unscored.items())
    words = f"judge of {name}: {judge.model}, {judge.scored} rated, {judge.stored} of them before{unscored}"
    return escape(f"{words}; rank correlation with {', '.join(found)}" if found else words)


def _band_counts(evaluation: Evaluation, metric: str, band: Band | None) -> dict[str, int] | None:
    if band is None:
        return None
    scores = (row.scores[metric] for row in evaluation.rows)
    counts = Counter(band.colour(score) for score in scores if score is not None)
    return {colour: counts[colour] for colour in ("green", "yellow", "red")}


def _print_comparison(console: Console, comparison: Comparison) -> None:
    left_out = [f"{number:,} more of {name}" for name, number in comparison.left_out.items() if number]
    note = f", {' and '.join(left_out)} left out" if left_out else ""
    console.print(
        f"\n{comparison.samples:,} samples in common{escape(note)}; p corrected for {comparison.tests} tests (Holm)"
    )
    for first, second in dict.fromkeys((pair.first, pair.second) for pair in comparison.pairs):
        pairs = [pair for pair in comparison.pairs if (pair.first, pair.second) == (first, second)]
        console.print(_pair_table(f"{second} against {first}", pairs))


def _pair_table(title: str, pairs: Sequence[PairedDifference]) -> Table:
    table = Table(title=escape(title), title_justify="left")
    table.add_column("metric", no_wrap=True)
    for heading in ("difference", "95 % interval", "better /\nequal /\nworse", "p,\ncorrected"):
        table.add_column(heading, justify="right", no_wrap=True)
    for pair in pairs:
        if pair.n:
            counts = f"{pair.better} / {pair.equal} / {pair.worse}"
            table.add_row(pair.metric, difference_words(pair), interval_words(pair), counts, p_words(pair.p_corrected))
        else:
            table.add_row(pair.metric, "[dim]none scored[/dim]", "", "", "")
    return table
