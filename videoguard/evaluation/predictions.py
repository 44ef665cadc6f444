"""Files of predictions: our own rows, and `[{"video_path", "question", "ground_truth", "prediction"}]` of others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from videoguard.errors import UserError, refuse_all
from videoguard.inference.rows import AnswerRow
from videoguard.manifests.carriers.loading import load_rows
from videoguard.manifests.carriers.rows import Carrier, UnreadableRow
from videoguard.manifests.labels import exercise_name

_OK = ("ok", "success", "successful", "succeeded", "completed")
_FAILED = ("failed", "failure", "error")
_NAMES = {
    "id": ("id", "sample_id"),
    "video": ("video", "video_path"),
    "question": ("question", "prompt"),
    "reference": ("reference", "ground_truth"),
    "answer": ("answer", "prediction"),
    "base_answer": ("base_answer", "base_prediction"),
    "label": ("label", "exercise"),
    "group": ("group",),
    "status": ("status",),
    "error": ("error",),
}
_FIGURES = ("mean_token_logprob", "label_probability", "latency_s", "new_tokens")
_TEXTS = ("generated", "predicted_label")
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a file of predictions holds."""

    rows: list[AnswerRow]
    base_rows: list[AnswerRow] | None
    """The same samples as another model answered them; None where the file has no `base_prediction`."""
    problems: list[str]
    """Rows that could not be read, one line each."""
    total: int
    """Rows of the file, also where not all were wanted."""


def read_predictions(path: Path, limit: int | None = None) -> Predictions:
    """The rows of a file, JSON, JSON Lines, CSV or Parquet, in its order; at most `limit` of them.

    A row has an answer (`answer` or `prediction`), and may have a wanted answer (`reference` or `ground_truth`), `id`,
    `video` or `video_path`, `question`, `label`, `group`, `status` and `error`. Where there is no `id`, the video names the
    sample, with a number from its second row on. A row without a `status` has failed where it has an error or no answer.

    Raises:
        UserError: the file cannot be read, or none of its rows can.
    """
    if not path.exists():
        raise UserError(f"predictions {path} do not exist: give a file of answers, such as rows.jsonl")
    if path.is_dir():
        raise UserError(f"predictions {path} is a folder: give the file of answers in it")
    if path.read_bytes().strip() in (b"", b"[]"):
        return Predictions([], None, [], 0)
    try:
        carried = load_rows(path)
    except UserError as refusal:
        # What reads the file takes it for what it is made for.
        raise UserError(str(refusal).replace("manifest", "predictions", 1)) from None
    raw = carried.rows if limit is None else carried.rows[:limit]
    read = _Reader(carried.carrier)
    rows: list[AnswerRow] = []
    base_rows: list[AnswerRow] = []
    problems: list[str] = []
    for number, value in enumerate(raw, start=1):
        found = read.row(value, number)
        if isinstance(found, str):
            problems.append(f"row {number}: {found}")
        else:
            rows.append(found[0])
            base_rows.append(found[1])
    if not rows:
        refuse_all(f"predictions {path}: no row can be read", problems[:_MOST_LISTED])
    return Predictions(rows, base_rows if read.has_base else None, problems, len(carried.rows))


class _Reader:
    """Rows of one file, one after the other."""

    def __init__(self, carrier: Carrier) -> None:
        self._is_table = carrier == "csv"
        self._seen: Counter[str] = Counter()
        self._ids: set[str] = set()
        self.has_base = False

    def row(self, value: object, number: int) -> tuple[AnswerRow, AnswerRow] | str:
        """The row, and the base model's, or what is wrong with it."""
        if isinstance(value, UnreadableRow):
            return value.problem
        if not isinstance(value, Mapping):
            return f"it is {type(value).__name__}: it must be an object with an answer"
        fields = {name: _first(value, names) for name, names in _NAMES.items()}
        if fault := self._fault(value, fields):
            return fault
        texts = {name: None if text is None else str(text) for name, text in fields.items()}
        id_ = self._id(texts, number)
        if id_ in self._ids:
            return f"id {id_!r} is that of an earlier row: ids must be unique"
        self._ids.add(id_)
        reference = texts["reference"] or ""
        shared: dict[str, object] = {
            "id": id_,
            "video": texts["video"],
            "group": texts["group"] or texts["video"] or id_,
            "label": texts["label"] or exercise_name(reference),
            "question": texts["question"] or "",
            "reference": reference,
        }
        self.has_base |= "base_answer" in value or "base_prediction" in value
        try:
            own = AnswerRow.model_validate({**shared, **self._answer(texts), **_details(value)})
        except ValidationError as invalid:
            return "; ".join(
                f"{error['loc'][0]} is {error['input']!r}: {error['msg'].lower()}" for error in invalid.errors()
            )
        return own, AnswerRow.model_validate({**shared, **_outcome(texts["base_answer"], None)})

    def _fault(self, value: Mapping[object, object], fields: Mapping[str, object]) -> str | None:
        # A cell of a table that is empty is a field that is missing.
        if not self._is_table and not any(name in value for name in _NAMES["answer"]) and fields["status"] is None:
            return "it has neither answer nor prediction"
        for name, text in fields.items():
            if text is not None and not isinstance(text, str) and not (name == "id" and isinstance(text, int)):
                return f"{name} is {type(text).__name__}: it must be text"
        status = fields["status"]
        if isinstance(status, str) and status.lower() not in (*_OK, *_FAILED):
            return f"status is {status!r}: it must be one of {', '.join((*_OK, *_FAILED))}"
        return None

    def _id(self, texts: Mapping[str, str | None], number: int) -> str:
        if texts["id"] is not None:
            return texts["id"]
        if texts["video"] is None:
            return f"row {number}"
        self._seen[texts["video"]] += 1
        nth = self._seen[texts["video"]]
        return texts["video"] if nth == 1 else f"{texts['video']} #{nth}"

    def _answer(self, texts: Mapping[str, str | None]) -> dict[str, object]:
        status = None if texts["status"] is None else texts["status"].lower()
        answer, error = texts["answer"], texts["error"]
        if status in _OK:
            # A table cannot tell an empty answer from none; its status does.
            return _outcome("" if answer is None and self._is_table else answer, None)
        if status in _FAILED or error:
            return _outcome(None, error or "no reason was recorded")
        return _outcome(answer, None)


def _outcome(answer: str | None, error: str | None) -> dict[str, object]:
    if answer is None:
        return {"status": "failed", "answer": None, "error": error or "no answer was recorded"}
    return {"status": "ok", "answer": answer, "error": None}


def _details(value: Mapping[object, object]) -> dict[str, object]:
    """What our own rows tell beyond the answer. A table has text in its cells."""
    figures = {name: value[name] for name in _FIGURES if value.get(name) is not None}
    return figures | {name: value[name] for name in _TEXTS if value.get(name) is not None}


def _first(value: Mapping[object, object], names: Sequence[str]) -> object:
    return next((value[name] for name in names if value.get(name) is not None), None)
