"""What the page says: the sheets of the workbook as sections of plain tables."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

from videoguard.config import Band
from videoguard.evaluation.guard import evaluate_guard
from videoguard.evaluation.scores import MetricFacts
from videoguard.manifests.formats.guard_categories import CATEGORIES
from videoguard.manifests.sample import file_to_open
from videoguard.quality.tables import NO_CLASS, decision
from videoguard.report.confidence_sheet import (
    ACROSS,
    BIN_HEADINGS,
    CHART_TITLE,
    DIAGONAL,
    MODEL_HEADINGS,
    NOTES,
    UP,
    bin_words,
    reliabilities,
)
from videoguard.report.confusion import mistakes_of, shown_matrix
from videoguard.report.content import ModelResult, ReportContent
from videoguard.report.errors_sheet import count_mishaps, in_short, mishaps_of
from videoguard.report.figures import NO_FIGURES, SampleLine, score_of, scored_metrics, side_by_side, why_unscored
from videoguard.report.guard_sheet import (
    DELAY_HEADINGS,
    DELAY_WORDS,
    LEGEND,
    LEVEL_HEADINGS,
    VIDEO_HEADINGS,
    level_words,
    video_lines,
)
from videoguard.report.judging import judge_facts
from videoguard.report.links import video_link, web_link
from videoguard.report.nights_section import drift_section, nights_section
from videoguard.report.samples import shown_samples
from videoguard.report.section import (
    Card,
    Cell,
    Diagram,
    Section,
    Table,
    count_cell,
    decimal_cell,
    p_value_cell,
    share_cell,
    text_cell,
)
from videoguard.report.thumbnails import film_strip
from videoguard.report.timeline import MOST_ENTRIES, entry_pairs, has_timelines
from videoguard.report.wording import (
    band_words,
    colour_of,
    difference_words,
    figure_words,
    finite,
    interval_words,
    is_unit,
    is_yes_no,
    metrics_of,
    sample_words,
)

_MOST_CLASSES = 25


def sections_of(content: ReportContent, opened_from: Path) -> Iterator[Section]:
    """The sections in the order of the sheets; one that has nothing to say is left out."""
    makers = {
        "summary": _summary,
        "results": _results,
        "comparison": _comparison,
        "per_exercise": _per_exercise,
        "confusion": _confusion,
        "confidence": _confidence,
        "samples": _samples,
        "timeline": _timeline,
        "guard": _guard,
        "quality": _quality,
        "nights": nights_section,
        "drift": drift_section,
        "errors": _errors,
        "run": _run,
    }
    for name in content.sheets:
        section = makers[name](content, content.title_of(name), opened_from) if name in makers else None
        if section is not None:
            yield section


def _summary(content: ReportContent, title: str, opened_from: Path) -> Section:
    metrics = metrics_of(content.models)
    headings = [
        "Metric",
        "Model",
        "Mean",
        "95 % interval",
        "From 0 to 1",
        "n",
        "Unscored",
        "Median",
        "Std. dev.",
        "Min",
        "Max",
    ]
    rows = [_summary_row(content, metric, model) for metric in metrics for model in content.models]
    note = "Mean of the scored samples (n) with its 95 % bootstrap interval over source videos; the unscored are in no mean."
    counts = [[text_cell(model.heading), *_counts(model)] for model in content.models]
    unused = {
        "Videos and samples quarantined, in no figure": len(content.quarantine),
        "Manifest rows that could not be read": len(content.row_problems),
    }
    left_out = [[text_cell(words), count_cell(count), text_cell(""), text_cell("")] for words, count in unused.items()]
    return Section(
        "summary",
        title,
        tables=[
            Table([*headings, "Thresholds"], rows, note=note),
            Table(["", "Samples", "Answered", "Failed"], [*counts, *left_out], "Key counts"),
        ],
    )


def _summary_row(content: ReportContent, metric: MetricFacts, model: ModelResult) -> list[Cell]:
    figures = model.evaluation.summary.get(metric.name, NO_FIGURES)
    band = content.bands.get(metric.name)
    spread = (figures.median, figures.std, figures.min, figures.max)
    mean, low, high = finite(figures.mean), finite(figures.ci_low), finite(figures.ci_high)
    bar = (
        None if mean is None or not is_unit(metric) else (mean, mean if low is None else low, mean if high is None else high)
    )
    return [
        text_cell(metric.title),
        text_cell(model.heading),
        _score(metric, figures.mean, band),
        text_cell(interval_words(metric, low, high)),
        Cell("", mean if is_unit(metric) else None, bar=bar),
        count_cell(figures.n),
        count_cell(figures.unscored),
        *(_score(metric, value, None) for value in spread),
        text_cell(band_words(metric, band) if band else "none set"),
    ]


def _counts(model: ModelResult) -> list[Cell]:
    failed = sum(row.status == "failed" for row in model.rows)
    return [count_cell(len(model.rows)), count_cell(len(model.rows) - failed), count_cell(failed)]


def _results(content: ReportContent, title: str, opened_from: Path) -> Section:
    metrics = scored_metrics(content.models) or metrics_of(content.models)
    lines = side_by_side(content.models)
    order = (len(content.models) - 1, *range(len(content.models) - 1))
    headings = [
        *("Sample", "Video", "Exercise", "Question", "Wanted answer"),
        *(f"Answer of {content.models[place].heading}" for place in order),
        *map(sample_words, metrics),
        *("Exercise in the answer", "Status", "What is missing, and why"),
    ]

    def row(line: SampleLine) -> list[Cell]:
        main = line.rows[-1]
        return [
            text_cell(line.known.id),
            _video(line, content, opened_from),
            *map(text_cell, (line.known.label, line.known.question, line.known.reference)),
            *(_answer(line, place) for place in order),
            *(_sample_score(content, metric, score_of(line.scores, metric.name)) for metric in metrics),
            text_cell(None if line.scores is None else line.scores.identified),
            Cell("missing" if main is None else main.status, look="red" if main is None or main.status == "failed" else ""),
            text_cell(_why(line, metrics)),
        ]

    return Section("results", title, tables=[Table(headings, map(row, lines), is_long=True)])


def _why(line: SampleLine, metrics: Sequence[MetricFacts]) -> str:
    main = line.rows[-1]
    if main is None or main.status == "failed":
        return why_unscored(main, None, "")
    lacking = [metric for metric in metrics if score_of(line.scores, metric.name) is None]
    return "\n".join(f"{metric.title}: {why_unscored(main, line.scores, metric.name)}" for metric in lacking)


def _comparison(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    found = content.comparison
    if found is None:
        return None
    facts = {metric.name: metric for metric in metrics_of(content.models)}
    headings = {model.name: model.heading for model in content.models}
    looks = {"better": "green", "worse": "red"}
    tables = []
    for (first, second), pairs in groupby(found.pairs, key=lambda pair: (pair.first, pair.second)):
        names = headings.get(first, first), headings.get(second, second)
        rows = []
        for pair in pairs:
            metric = facts.get(pair.metric, MetricFacts(name=pair.metric, title=pair.metric))
            means = [_score(metric, value, None) for value in (pair.first_mean, pair.second_mean)]
            differences = (pair.difference, pair.ci_low, pair.ci_high)
            counts = (pair.n, pair.unscored, pair.better, pair.equal, pair.worse)
            tested = [text_cell(pair.test), *map(p_value_cell, (pair.p_value, pair.p_corrected))]
            verdict = Cell(pair.verdict or "–", look=looks.get(pair.verdict or "", ""))
            changes = [Cell(difference_words(metric, value), finite(value)) for value in differences]
            rows.append([text_cell(metric.title), *means, *changes, *map(count_cell, counts), *tested, verdict])
        table_headings = ["Metric", *names, "Difference", "95 % low", "95 % high", "Samples", "Left out", "Better", "Equal"]
        tables.append(
            Table(
                [*table_headings, "Worse", "Test", "p-value", "p corrected", "Verdict"],
                rows,
                f"{names[1]}, compared with {names[0]}",
            )
        )
    changed = [
        [
            text_cell(facts[sample.metric].title if sample.metric in facts else sample.metric),
            *(text_cell(headings.get(name, name)) for name in (sample.first, sample.second)),
            *(Cell(f"{value:.3f}", value) for value in (sample.first_score, sample.second_score)),
            Cell(f"{sample.change:+.3f}", sample.change),
            text_cell(sample.id),
        ]
        for sample in found.changed
    ]
    if changed:
        words = ["Metric", "Model", "Against", "Before", "After", "Change", "Sample"]
        tables.append(Table([words[0], words[2], words[1], *words[3:]], changed, "Samples that changed most"))
    note = (
        f"{found.samples:,} samples that every model was asked about. Interval: 95 % paired bootstrap over source videos. "
        f"Verdict: two-sided, at {found.alpha:.0%}, Holm's correction for {found.tests:,} tests."
    )
    return Section("comparison", title, [*([f"Partial: {found.partial}"] if found.partial else []), note], tables)


def _per_exercise(content: ReportContent, title: str, opened_from: Path) -> Section:
    metrics = scored_metrics(content.models)
    samples: dict[str, int] = {}
    for line in side_by_side(content.models):
        if line.known.label is not None:
            samples[line.known.label] = samples.get(line.known.label, 0) + 1
    labels = sorted(
        samples | {label: 0 for model in content.models for label in model.evaluation.by_label if label not in samples}
    )
    headings = [
        "Exercise",
        "Samples",
        *(f"{metric.title}: {model.heading}" for model in content.models for metric in metrics),
    ]
    rows = [
        [
            text_cell(label),
            count_cell(samples.get(label, 0)),
            *(
                _score(
                    metric,
                    model.evaluation.by_label.get(label, {}).get(metric.name, NO_FIGURES).mean,
                    content.bands.get(metric.name),
                )
                for model in content.models
                for metric in metrics
            ),
        ]
        for label in labels
    ]
    notes = [] if rows else ["No sample names an exercise, so that there is nothing to tell apart."]
    return Section("per_exercise", title, notes, [Table(headings, rows, is_long=len(rows) > _MOST_CLASSES)] if rows else [])


def _confusion(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    titles = {metric.name: metric.title for metric in metrics_of(content.models)}
    tables = []
    for name, found in content.main.evaluation.classifications.items():
        if not found.classes:
            continue
        matrix = shown_matrix(found, _MOST_CLASSES)
        rows = []
        for figures in matrix.lines:
            cells = []
            for answered in matrix.columns:
                count = matrix.counts.get((figures.label, answered), 0)
                look = "" if not count else "right" if answered == figures.label else "wrong"
                cells.append(Cell(f"{count:,}" if count else "", count, look, strength=count / figures.wanted))
            ends = [
                count_cell(figures.wanted),
                Cell(f"{figures.accuracy:.1%}", figures.accuracy),
                Cell(f"{figures.f1:.3f}", figures.f1),
            ]
            rows.append([text_cell(figures.label), *cells, *ends])
        scope = f" ({_MOST_CLASSES} of {len(found.classes):,} classes, those with most mistakes)"
        words = titles.get(name, name) + (scope if len(found.classes) > _MOST_CLASSES else "")
        tables.append(Table(["Wanted", *matrix.columns, "Samples", "Accuracy", "F1"], rows, words))
        wrong = [
            [text_cell(cell.wanted), text_cell(cell.answered), count_cell(cell.count)] for cell in mistakes_of(found)[:30]
        ]
        if wrong:
            tables.append(Table(["Wanted", "Named instead", "Samples"], wrong, "Most frequent mistakes"))
    note = "A line is a wanted class, a column what the answer names. Blue is right, amber wrong; darker is a larger share."
    return Section("confusion", title, [note], tables) if tables else None


def _confidence(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    shown = reliabilities(content)
    if not shown:
        return None
    models = [
        [
            text_cell(each.heading),
            *map(count_cell, (each.found.n, each.found.unscored)),
            *map(share_cell, (each.found.accuracy, each.found.probability)),
            *map(decimal_cell, (each.found.calibration_error, each.found.brier)),
        ]
        for each in shown
    ]
    tables = [Table(MODEL_HEADINGS, models)]
    for each in shown:
        bins = [
            [Cell(bin_words(one), one.low), count_cell(one.n), *map(share_cell, (one.probability, one.accuracy))]
            for one in each.found.bins
        ]
        tables.append(Table(["Probability", *BIN_HEADINGS], bins, each.heading))
    return Section("confidence", title, NOTES, tables, diagram=Diagram(CHART_TITLE, ACROSS, UP, DIAGONAL, shown))


def _samples(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    shown = shown_samples(content.models, content.samples)
    if shown is None:
        return None
    metrics = scored_metrics([content.main])

    def card(line: SampleLine) -> Card:
        frames = content.frames.get(line.known.video or "", [])
        order = (len(content.models) - 1, *range(len(content.models) - 1))
        answers = [(content.models[place].heading, _answer(line, place).text) for place in order]
        return Card(
            Cell(line.known.id, link=_video(line, content, opened_from).link),
            film_strip(frames, content.samples.frames) if frames else None,
            [("Wanted", line.known.reference), *answers],
            [
                (sample_words(metric), _sample_score(content, metric, score_of(line.scores, metric.name)))
                for metric in metrics
            ],
        )

    parts = [
        (words, [card(line) for line in lines]) for words, lines in (("Worst", shown.worst), ("Best", shown.best)) if lines
    ]
    return Section("samples", title, cards=[(f"{words} {shown.metric.title}", cards) for words, cards in parts])


def _timeline(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    if not has_timelines(content):
        return None
    headings = ["Sample", "Time", "Wanted event", "Wanted sentiment", "Answered event", "Answered sentiment"]
    rows = []
    for pair in islice(entry_pairs(content), MOST_ENTRIES):
        known = pair.wanted or pair.answered
        sides = [[None, None] if entry is None else [entry.event, entry.sentiment] for entry in (pair.wanted, pair.answered)]
        same = {None: Cell("–"), True: Cell("yes", look="green"), False: Cell("no", look="red")}[pair.is_same_sentiment]
        time = None if known is None else known.time
        rows.append([*map(text_cell, (pair.sample, time, *sides[0], *sides[1])), same])
    return Section("timeline", title, tables=[Table([*headings, "Same sentiment?"], rows, is_long=True)])


def _guard(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    tables: list[Table] = []
    for model in content.models:
        found = evaluate_guard(model.rows)
        if found is None:
            continue
        for level in found.levels:
            shown = [figures for figures in level.categories if figures.wanted or figures.named]
            rows = [
                [
                    text_cell(CATEGORIES[figures.category]),
                    *map(count_cell, (figures.wanted, figures.named, figures.right)),
                    *map(decimal_cell, (figures.precision, figures.recall, figures.f1, figures.accuracy)),
                ]
                for figures in shown
            ]
            tables.append(Table(LEVEL_HEADINGS, rows, title=model.heading, note=level_words(level)))
        delays = [
            [
                text_cell("all" if figures.category is None else CATEGORIES[figures.category]),
                *map(count_cell, (figures.spans, figures.raised)),
                *map(decimal_cell, (figures.mean_s, figures.median_s, figures.longest_s)),
                count_cell(figures.false_alarms),
            ]
            for figures in found.delays
        ]
        tables.append(Table(DELAY_HEADINGS, delays, title=model.heading, note=DELAY_WORDS))
    videos = [
        [*map(text_cell, line.texts), count_cell(line.frames), count_cell(line.wrong), text_cell(line.marks)]
        for line in video_lines(content.main.rows)
    ]
    if not tables:
        return None
    return Section("guard", title, tables=[*tables, Table(VIDEO_HEADINGS, videos, note=LEGEND, is_long=True)])


def _quality(content: ReportContent, title: str, opened_from: Path) -> Section | None:
    if content.quality is None:
        return None
    headings = ["Video", "Class", "Decision", "Reason", "Samples", "Width", "Height", "Brightness", "Sharpness"]
    listed = sorted(content.quality, key=lambda video: (video.kept, video.video))
    rows = (
        [
            *map(text_cell, (video.video, video.label or NO_CLASS, decision(video), "; ".join(video.reasons.values()))),
            *map(count_cell, (video.samples, video.width, video.height)),
            *(Cell("–" if value is None else f"{value:.3f}", value) for value in (video.brightness, video.sharpness)),
        ]
        for video in listed
    )
    left_out = sum(not video.kept for video in content.quality)
    note = f"{len(content.quality):,} videos judged by their stored frames, {left_out:,} left out."
    return Section("quality", title, [note], [Table(headings, rows, is_long=True)])


def _errors(content: ReportContent, title: str, opened_from: Path) -> Section:
    tables = []
    counts = [
        [*map(text_cell, (each.what, each.model, each.metrics)), count_cell(each.times), text_cell(each.reason)]
        for each in count_mishaps(content)
    ]
    if counts:
        tables.append(Table(["What happened", "Model", "Metrics", "How many", "Reason"], counts, "By reason"))
    mishaps = [list(map(text_cell, mishap)) for mishap in mishaps_of(content)]
    if mishaps:
        tables.append(Table(["What happened", "Model", "Video", "Sample", "Reason"], mishaps, "One by one", is_long=True))
    return Section("errors", title, [in_short(content)], tables)


def _run(content: ReportContent, title: str, opened_from: Path) -> Section:
    tables = [
        Table(["", ""], [[text_cell(fact), Cell(value, link=web_link(value))] for fact, value in facts.items()], name)
        for name, facts in (judge_facts(content) | content.facts.sections).items()
    ]
    return Section("run", title, tables=tables)


def _score(metric: MetricFacts, value: float | None, band: Band | None) -> Cell:
    known = finite(value)
    return Cell(figure_words(metric, known), known, colour_of(known, band) or "")


def _sample_score(content: ReportContent, metric: MetricFacts, score: float | None) -> Cell:
    if is_yes_no(metric) and score in (0.0, 1.0):
        return Cell("yes" if score else "no", score, "green" if score else "red")
    return _score(metric, score, content.bands.get(metric.name))


def _answer(line: SampleLine, place: int) -> Cell:
    answered = line.rows[place]
    if answered is not None and answered.answer == "":
        return Cell("(empty answer)")
    return text_cell(None if answered is None else answered.answer)


def _video(line: SampleLine, content: ReportContent, opened_from: Path) -> Cell:
    video = line.known.video
    link = None if video is None else video_link(file_to_open(video), content.media_root, opened_from)
    return Cell("–" if video is None else video, link=link)
