"""Ratings of answers by a judge: each asked once, stored as it comes, and read again by later evaluations."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from videoguard.config import JudgeSection
from videoguard.digests import digest_json
from videoguard.errors import UnavailableError
from videoguard.evaluation.judge_models import describe_judge, open_judge
from videoguard.evaluation.judgements import Agreement, Judgement, JudgeReport
from videoguard.evaluation.metrics.row_metric import RowResults
from videoguard.evaluation.rubric import PROMPT_VERSION, judge_prompt, read_rating
from videoguard.evaluation.scores import MetricFacts
from videoguard.inference.rows import AnswerRow

JUDGE = "judge"
FACTS = MetricFacts(
    name=JUDGE,
    title="Judge",
    scale="rating",
    about="A language model's rating of the answer, from 1 to 5.",
)
_FOLDER, _FILE = "judgements", "judgements.jsonl"
_LEAST_ROWS = 3

Kind = Literal["failed answer", "no wanted answer", "unparsable", "no reply"]


def judge_rows(rows: Sequence[AnswerRow], settings: JudgeSection, state: Path) -> tuple[RowResults, JudgeReport]:
    """A rating of every answer, and who gave it; ratings that `state` has are not asked for again.

    A failed answer, one whose wanted answer is empty, and one whose judge did not answer with a rating are unscored. What
    did not come at all is asked for again by the next evaluation; what came and cannot be read is not.

    Raises:
        UserError: the judge cannot be loaded.
        UnavailableError: the judge gave no reply at all.
    """
    judge = describe_judge(settings)
    keys = {at: _key(judge, row) for at, row in enumerate(rows) if _can_be_judged(row)}
    store = state / _FOLDER / digest_json(judge)[:32] / _FILE
    known = _read(store)
    wanted = {key: rows[at] for at, key in keys.items() if key not in known}
    asked = _ask(settings, wanted, store) if wanted else {}
    if asked and all(judgement.reply is None for judgement in asked.values()):
        reason = next(iter(asked.values())).error
        raise UnavailableError(f"judge {settings.model} at {settings.url} does not answer: {reason}")
    known |= asked
    kinds = [_kind(row, known.get(keys.get(at, ""))) for at, row in enumerate(rows)]
    found = [known.get(keys.get(at, "")) for at in range(len(rows))]
    results = RowResults(
        scores=[None if each is None or each.score is None else float(each.score) for each in found],
        reasons=[
            None if kind is None else _reason(kind, row, each) for kind, row, each in zip(kinds, rows, found, strict=True)
        ],
        notes=[None if each is None else each.reason for each in found],
    )
    report = JudgeReport(
        model=settings.model,
        url=settings.url,
        prompt_version=PROMPT_VERSION,
        asked=len(wanted),
        stored=len(keys) - sum(key in wanted for key in keys.values()),
        scored=sum(kind is None for kind in kinds),
        unscored=dict(Counter(kind for kind in kinds if kind is not None)),
    )
    return results, report


def agreement(judged: Sequence[float | None], scores: Mapping[str, Sequence[float | None]]) -> list[Agreement]:
    """Spearman's correlation of the ratings with each metric's scores, ties sharing their ranks."""
    from scipy.stats import spearmanr

    found = []
    for metric, values in scores.items():
        pairs = [(a, b) for a, b in zip(judged, values, strict=True) if a is not None and b is not None]
        ratings, others = {a for a, _ in pairs}, {b for _, b in pairs}
        if len(pairs) < _LEAST_ROWS or len(ratings) < 2 or len(others) < 2:
            found.append(Agreement(metric=metric, n=len(pairs), spearman=None))
            continue
        result = spearmanr([a for a, _ in pairs], [b for _, b in pairs])
        found.append(Agreement(metric=metric, n=len(pairs), spearman=float(result.statistic), p_value=float(result.pvalue)))
    return found


def _can_be_judged(row: AnswerRow) -> bool:
    return row.status == "ok" and row.answer is not None and bool(row.reference.strip())


def _key(judge: Mapping[str, object], row: AnswerRow) -> str:
    texts = {"question": row.question, "reference": row.reference, "answer": row.answer}
    # Half a surrogate pair, which an answer may hold, cannot be digested.
    return digest_json({"judge": judge, "prompt": PROMPT_VERSION, **{k: ascii(text) for k, text in texts.items()}})


def _ask(settings: JudgeSection, wanted: Mapping[str, AnswerRow], store: Path) -> dict[str, Judgement]:
    judge = open_judge(settings)
    prompts = [judge_prompt(row.question, row.reference, row.answer or "") for row in wanted.values()]
    store.parent.mkdir(parents=True, exist_ok=True)
    asked = {}
    with store.open("a", encoding="utf-8") as lines:
        for key, reply in zip(wanted, judge.replies([_writable(prompt) for prompt in prompts]), strict=True):
            judgement = asked[key] = _judgement(key, reply)
            if judgement.reply is not None:
                lines.write(judgement.model_dump_json() + "\n")
                lines.flush()
                os.fsync(lines.fileno())
    return asked


def _judgement(key: str, reply: str | Exception) -> Judgement:
    if isinstance(reply, Exception):
        return Judgement(key=key, score=None, error=f"{type(reply).__name__}: {reply}")
    reply = _writable(reply)
    rating = read_rating(reply)
    if rating is None:
        return Judgement(key=key, score=None, reply=reply, error="the reply holds no rating from 1 to 5")
    return Judgement(key=key, score=rating[0], reason=rating[1], reply=reply)


def _read(store: Path) -> dict[str, Judgement]:
    """The whole lines of the store; a killed evaluation may have left the last one unfinished."""
    known = {}
    for line in store.read_bytes().splitlines() if store.exists() else []:
        try:
            judgement = Judgement.model_validate_json(line)
        except ValidationError:
            continue
        known[judgement.key] = judgement
    return known


def _kind(row: AnswerRow, judgement: Judgement | None) -> Kind | None:
    if row.status != "ok" or row.answer is None:
        return "failed answer"
    if judgement is None:
        return "no wanted answer"
    if judgement.score is not None:
        return None
    return "no reply" if judgement.reply is None else "unparsable"


def _reason(kind: Kind | None, row: AnswerRow, judgement: Judgement | None) -> str | None:
    if kind is None:
        return None
    if kind == "failed answer":
        return f"inference failed: {row.error or 'no answer was recorded'}"
    if kind == "no wanted answer" or judgement is None:
        return "the wanted answer is empty"
    if kind == "no reply":
        return f"the judge did not answer: {judgement.error}"
    return f"the judge's reply holds no rating from 1 to 5: {(judgement.reply or '')[:120]!r}"


def _writable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode("utf-8")
