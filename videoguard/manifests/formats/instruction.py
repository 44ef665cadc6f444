"""`{"instruction", "input", "output", "history": [["earlier question", "its answer"]]}` (Alpaca): text only.

The question is the instruction, and the input below it where there is one.
"""

from videoguard.manifests.fields import Row
from videoguard.manifests.formats.format import ManifestFormat
from videoguard.manifests.sample import Exchange, Sample

_PAIR = 2


def _read(row: Row) -> Sample | None:
    instruction = row.text(row.get("instruction"), "instruction")
    more = row.optional_text(row.get("input"), "input")
    return row.sample(
        question=f"{instruction}\n{more}" if more else instruction,
        answer=row.text(row.get("output"), "output"),
        history=tuple(
            _exchange(row, pair, f"history[{place}]")
            for place, pair in enumerate(row.optional_items(row.get("history"), "history"))
        ),
    )


def _exchange(row: Row, pair: object, field: str) -> Exchange:
    if not isinstance(pair, list) or len(pair) != _PAIR:
        row.refuse(field, "must be a list of a question and its answer")
        return Exchange("", "")
    return Exchange(row.text(pair[0], f"{field}[0]"), row.text(pair[1], f"{field}[1]"))


def _write(sample: Sample) -> dict[str, object]:
    history = [[exchange.question, exchange.answer] for exchange in sample.history]
    return {"instruction": sample.question, "input": "", "output": sample.answer, "history": history}


FORMAT = ManifestFormat(
    name="instruction",
    fields=frozenset({"instruction", "input", "output", "history"}),
    nested=frozenset({"history"}),
    needs=frozenset({"question", "answer"}),
    holds=frozenset({"question", "answer", "history"}),
    recognises=lambda row: "instruction" in row,
    read=_read,
    write=_write,
)
