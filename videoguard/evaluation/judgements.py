"""What a judge, a language model that rates answers, came to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Judgement(BaseModel):
    """The rating of one answer; one line of `judgements.jsonl`.

    Where the judge did not answer, or not with a rating, `score` is None and `error` says why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    """Digest of all that decides the rating: judge, prompt and texts. A stored one with this key is not asked again."""
    score: int | None
    """From 1 (wrong) to 5 (as wanted)."""
    reason: str = ""
    """The judge's words beside the rating."""
    reply: str | None = None
    """What the judge wrote; None where it did not answer."""
    error: str | None = None


class Agreement(BaseModel):
    """Spearman's rank correlation of the judge's ratings with another metric, over the rows that both scored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    n: int
    spearman: float | None
    """None below three rows, or where one of both gave the same score to every row."""
    p_value: float | None = None
    """Two-sided, of no correlation."""


class JudgeReport(BaseModel):
    """Who judged, and how far the ratings agree with the metrics. The ratings are the scores of the metric `judge`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    """Folder, hub name, or the model's name at its server."""
    url: str | None = None
    """OpenAI-compatible server; None for a model that ran here."""
    prompt_version: str
    """Version of the rubric: ratings of different versions are not comparable."""
    asked: int
    """Answers that the judge was asked about in this evaluation."""
    stored: int
    """Ratings that were there from earlier evaluations."""
    scored: int
    unscored: dict[Literal["failed answer", "no wanted answer", "unparsable", "no reply"], int] = {}
    """Rows without a rating, by kind."""
    agreement: list[Agreement] = []
