"""How likely a model holds each of the known labels: scored at the place of the label, not parsed from an answer.

The log-probability of a label is the sum over its tokens, given the prompt and what stands before the label. What follows
the label in every answer belongs to it up to one token, so that `squat` is not scored where `squat jump` is meant. The
probabilities of the known labels are normalised to a sum of 1. A prompt is read once, and what labels have in common is read
once too: the key-value cache is shared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from videoguard.inference.decoding import Sequences
from videoguard.inference.engine import Engine
from videoguard.inference.label_form import LabelForm
from videoguard.models.preprocessing import Example

Path = tuple[int, ...]


@dataclass(frozen=True)
class LabelScore:
    """What a model holds the labels to be."""

    label: str
    """The likeliest of the known labels."""
    probability: float
    """Its probability among them."""
    probabilities: Mapping[str, float]
    """Of every label."""


class LabelScorer:
    """Scores the labels for the prompts of a loaded model."""

    def __init__(self, engine: Engine, form: LabelForm) -> None:
        self._engine = engine
        self._form = form

    @torch.inference_mode()
    def score(self, prompts: Sequence[Example], answers: Sequence[str]) -> list[LabelScore | None]:
        """Scores of the labels for each prompt; None where the form of the answers leaves its place open.

        Args:
            prompts: what the model is asked.
            answers: what it generated, which leads up to the label where the wanted answers do so in different words.
        """
        paths = [self._paths(answer) for answer in answers]
        scores: list[LabelScore | None] = [None] * len(prompts)
        open_rows = [row for row, found in enumerate(paths) if found is not None]
        widest = max((_width(found) for found in paths if found is not None), default=1)
        together = max(1, self._engine.batch_size // widest)
        for start in range(0, len(open_rows), together):
            rows = open_rows[start : start + together]
            sums = self._sums([prompts[row] for row in rows], [paths[row] or {} for row in rows])
            for row, found in zip(rows, sums, strict=True):
                scores[row] = _normalised(found)
        return scores

    def _paths(self, answer: str) -> dict[str, Path] | None:
        """The tokens of each label, with those before it."""
        lead = self._form.before(answer)
        return None if lead is None else {label: self._path(lead, label) for label in self._form.labels}

    def _path(self, lead: str, label: str) -> Path:
        preprocessor, form = self._engine.preprocessor, self._form
        named = preprocessor.chat.opening + lead + form.labels[label]
        behind = preprocessor.chat.end_of_turn if form.closes else form.tail
        encoded: Any = preprocessor.tokenizer(named + behind, add_special_tokens=False, return_offsets_mapping=True)
        tokens, places = encoded["input_ids"], encoded["offset_mapping"]
        # Up to the first token that reaches behind the label; where every answer goes on differently, that is none.
        last = next((place for place, (_, end) in enumerate(places) if end > len(named)), len(tokens) - 1)
        return tuple(tokens[: last + 1])

    def _sums(self, prompts: Sequence[Example], paths: Sequence[Mapping[str, Path]]) -> list[dict[str, float]]:
        """Log-probabilities of each prompt's labels."""
        read = self._engine.read(prompts)
        sums: list[dict[str, float]] = [{} for _ in prompts]
        labels = list(paths[0])
        # Where one prompt has more branches than fit, its labels come in parts.
        size = len(labels) if len(prompts) > 1 else max(1, self._engine.batch_size)
        for start in range(0, len(labels), size):
            part = labels[start : start + size]
            branch = read.copy() if start + size < len(labels) else read
            for total, found in zip(
                sums, _walk(branch, [{each: path[each] for each in part} for path in paths]), strict=True
            ):
                total.update(found)
        return sums


def _walk(sequences: Sequences, paths: Sequence[Mapping[str, Path]]) -> list[dict[str, float]]:
    """Log-probabilities of the labels: all that the paths of a prompt have in common is read once."""
    sums = [dict.fromkeys(labels, 0.0) for labels in paths]
    nodes: list[tuple[int, Path]] = [(row, ()) for row in range(len(paths))]
    for depth in range(max(len(path) for labels in paths for path in labels.values())):
        logprobs = torch.log_softmax(sequences.logits, dim=-1)
        places = {node: place for place, node in enumerate(nodes)}
        onward: dict[tuple[int, Path], int] = {}
        taken: list[tuple[int, str, int, int]] = []
        for row, labels in enumerate(paths):
            for label, path in labels.items():
                if depth < len(path):
                    place = places[row, path[:depth]]
                    taken.append((row, label, place, path[depth]))
                    if depth + 1 < len(path):
                        onward[row, path[: depth + 1]] = place
        index = torch.tensor([[place, token] for _, _, place, token in taken], device=logprobs.device)
        for (row, label, _, _), value in zip(taken, logprobs[index[:, 0], index[:, 1]].tolist(), strict=True):
            sums[row][label] += value
        if not onward:
            break
        nodes = list(onward)
        sequences.keep(torch.tensor(list(onward.values()), device=logprobs.device))
        sequences.go_on(torch.tensor([path[-1] for _, path in nodes], device=logprobs.device))
    return sums


def _width(paths: Mapping[str, Path]) -> int:
    """The most branches that are open at once."""
    longest = max(map(len, paths.values()))
    return max(len({path[:depth] for path in paths.values() if len(path) >= depth}) for depth in range(1, longest + 1))


def _normalised(sums: Mapping[str, float]) -> LabelScore:
    values = torch.tensor(list(sums.values()), dtype=torch.float64)
    shares = torch.softmax(values, dim=0).tolist()
    probabilities = dict(zip(sums, shares, strict=True))
    best = max(probabilities, key=probabilities.__getitem__)
    return LabelScore(best, probabilities[best], probabilities)
