"""Where the label stands in the answers that a model learnt to write, read off the wanted answers of the training split."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from videoguard.errors import UserError
from videoguard.manifests.labels import normalize_name

_ENOUGH = 0.95
_LONGEST_TAIL = 12
_SHORTEST_MARKER = 3


@dataclass(frozen=True)
class LabelForm:
    """An answer up to and with its label."""

    labels: Mapping[str, str]
    """The known labels, each as answers write it."""
    lead: str | None
    """What stands before the label in every answer; None where that differs."""
    marker: str
    """The end of what stands before the label, by which its place is found in an answer where `lead` is None."""
    tail: str
    """How every answer goes on behind its label; empty where that differs, or nothing follows."""
    closes: bool
    """Whether nothing follows: an answer is its label."""

    def before(self, answer: str) -> str | None:
        """What stands before the label in this answer; None where it has no place for one."""
        if self.lead is not None:
            return self.lead
        start = answer.find(self.marker)
        return None if start < 0 else answer[: start + len(self.marker)]


def find_label_form(
    pairs: Iterable[tuple[str, str | None]], setting: str = "inference.label_scores", of: str = "the training split"
) -> LabelForm:
    """The form of wanted answers, given with their labels.

    Args:
        pairs: wanted answers with their labels.
        setting: what the user set to have labels scored.
        of: where the answers come from.

    Raises:
        UserError: there are fewer than two labels, or the answers do not name them in one place.
    """
    places: list[tuple[str, str, str]] = []
    written: dict[str, Counter[str]] = {}
    names: dict[str, str] = {}
    labelled = 0
    for answer, label in pairs:
        if label is None or not normalize_name(label):
            continue
        labelled += 1
        known = names.setdefault(normalize_name(label), label)
        spellings = written.setdefault(known, Counter())
        start = answer.lower().find(label.lower())
        if start >= 0:
            end = start + len(label)
            spellings[answer[start:end]] += 1
            places.append((answer[:start], answer[start:end], answer[end:]))
    if len(written) < 2:
        raise UserError(f"{setting}: {of} has {len(written)} labels, and fewer than 2 leave no choice; leave it off")
    labels = {label: counts.most_common(1)[0][0] if counts else label for label, counts in written.items()}
    if len(places) < _ENOUGH * labelled:
        reason = f"{labelled - len(places)} of {labelled} wanted answers do not hold their label"
        raise _nowhere(setting, of, reason)
    form = _form(labels, places)
    if form is None:
        raise _nowhere(setting, of, "the label stands behind other words in each")
    return form


def _form(labels: Mapping[str, str], places: Sequence[tuple[str, str, str]]) -> LabelForm | None:
    leads = Counter(lead for lead, _, _ in places)
    lead, count = leads.most_common(1)[0]
    fixed = count >= _ENOUGH * len(places)
    marker = lead if fixed else _common_end(list(leads))
    if not fixed and len(marker) < _SHORTEST_MARKER:
        return None
    tails = {tail for _, _, tail in places}
    return LabelForm(
        labels, lead if fixed else None, marker, _common_start(tails)[:_LONGEST_TAIL].rstrip(), closes=tails == {""}
    )


def _common_end(texts: Sequence[str]) -> str:
    return _common_start([text[::-1] for text in texts])[::-1]


def _common_start(texts: Collection[str]) -> str:
    # What the first and the last in order have in common, all between them have too.
    first, last = min(texts), max(texts)
    return first[
        : next((place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    ]


def _nowhere(setting: str, of: str, reason: str) -> UserError:
    return UserError(f"{setting}: the wanted answers of {of} do not name their labels in one place: {reason}; leave it off")
