"""One answer out of several to the same question: of several models, changed copies or parts of a video."""

from collections.abc import Hashable, Sequence

from videoguard.inference.rows import AnswerRow
from videoguard.manifests.labels import exercise_name, normalize_name


def vote(rows: Sequence[AnswerRow]) -> AnswerRow:
    """The row that most of `rows` agree with: of those that name what most name, the one that its model was surest of.

    Where every row has a scored label, the label with the highest mean probability wins; else the label that most answers
    name, or where they name none, the answer that most give. Of equally many the surer ones win. Failed rows do not vote;
    where all failed, the first is returned.
    """
    answered = [row for row in rows if row.status == "ok"]
    if not answered:
        return rows[0]
    weights: dict[Hashable, tuple[float, float]] = {}
    scored = all(row.predicted_label is not None for row in answered)
    for row in answered:
        opinion = _opinion(row, scored=scored)
        votes, sureness = weights.get(opinion, (0.0, 0.0))
        share = row.label_probability or 0.0 if scored else 1.0
        weights[opinion] = (votes + share, sureness + _sureness(row))
    best = max(weights, key=lambda opinion: weights[opinion])
    voters = [row for row in answered if _opinion(row, scored=scored) == best]
    surest = max(voters, key=_sureness)
    if not scored:
        return surest
    return surest.model_copy(update={"label_probability": weights[best][0] / len(answered)})


def _opinion(row: AnswerRow, *, scored: bool) -> Hashable:
    if scored:
        return row.predicted_label
    name = exercise_name(row.answer or "")
    return normalize_name(name) if name is not None else (row.answer or "").strip()


def _sureness(row: AnswerRow) -> float:
    # A mean log-probability is below 0; an answer without one counts least.
    return row.mean_token_logprob if row.mean_token_logprob is not None else -1e9
