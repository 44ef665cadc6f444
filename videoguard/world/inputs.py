"""What is to be generated: the items of a recipe and of a batch file, each with its files."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videoguard.config.world import WorldConfig, WorldItem
from videoguard.errors import UserError, refuse_all
from videoguard.recipes import describe_faults

_FORM = 'a JSON list of {"input_video", "prompt", "output_video"}'
_INPUTS = ("input_video", "input_image", "input")
_KNOWN = {*_INPUTS, "prompt", "output_video", "output", "seed", "negative_prompt"}


def list_items(config: WorldConfig) -> list[WorldItem]:
    """All clips that a recipe asks for, with the paths of their files as they are found and written.

    Raises:
        UserError: the batch file cannot be read, or rows of it are refused, all of them at once; two clips have one output,
            or a clip would overwrite an input.
    """
    items = list(config.inputs.items)
    if config.inputs.batch is not None:
        items += read_batch(config.inputs.batch)
    placed = [item.model_copy(update={"output": config.output / item.output}) for item in items]
    outputs = Counter(item.output.absolute() for item in placed)
    inputs = {item.input.absolute() for item in placed}
    twice = [f"{path} is the output of {number} items: give each its own" for path, number in outputs.items() if number > 1]
    over = [f"{path} is an input and would be overwritten: give another output" for path in outputs if path in inputs]
    refuse_all("inputs", [*twice, *over])
    return placed


def read_batch(path: Path) -> list[WorldItem]:
    """The items of a JSON list of `{"input_video", "prompt", "output_video"}`, as NVIDIA's `--batch_input_json` takes it.

    A row may have `seed` and `negative_prompt`, and `input_image` or `input` in place of `input_video`. A relative input is
    looked for beside the file first, then in the working folder.

    Raises:
        UserError: it cannot be read, or rows are refused, all of them at once.
    """
    rows = read_rows(path)
    items: list[WorldItem] = []
    problems: list[str] = []
    for number, row in enumerate(rows, start=1):
        item = list(_problems(row))
        if not item:
            try:
                items.append(_item(row, path.parent))
                continue
            except ValidationError as invalid:
                item = describe_faults(invalid, WorldItem)
        problems += [f"row {number}: {problem}" for problem in item]
    refuse_all(str(path), problems)
    return items


def read_training_batch(path: Path) -> list[tuple[Path, str]]:
    """Clips to learn from, with their prompts: a JSON list of `{"input_video", "prompt"}`; other keys are not read.

    Raises:
        UserError: it cannot be read, or rows are refused, all of them at once.
    """
    rows = read_rows(path)
    problems = [
        f'row {number}: it must be {{"input_video": "…", "prompt": "…"}}, both of them texts'
        for number, row in enumerate(rows, start=1)
        if not (isinstance(row, Mapping) and all(isinstance(row.get(key), str) for key in ("input_video", "prompt")))
    ]
    refuse_all(str(path), problems)
    return [(find_input(row["input_video"], path.parent), row["prompt"]) for row in rows]


def read_rows(path: Path) -> list[Any]:
    """The rows of a batch file.

    Raises:
        UserError: it is missing, no JSON, or no list of rows.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"batch {path} does not exist: give {_FORM}") from None
    except (OSError, ValueError) as fault:
        raise UserError(f"batch {path} cannot be read: {fault}") from None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"batch {path}: it must be {_FORM}, with at least one row")
    return rows


def find_input(name: str, beside: Path) -> Path:
    """The file of a relative path, beside the batch file or else in the working folder."""
    near = beside / name
    return near if near.exists() or not Path(name).exists() else Path(name)


def _problems(row: object) -> Iterator[str]:
    if not isinstance(row, Mapping):
        yield f"it is {type(row).__name__}: it must be an object"
        return
    for key in sorted(set(row) - _KNOWN):
        yield f"{key} is not a known key: known are {', '.join(sorted(_KNOWN))}"
    inputs = [key for key in _INPUTS if key in row]
    if len(inputs) != 1:
        yield f"it has {', '.join(inputs) or 'no input'}: it must have one of {', '.join(_INPUTS)}"
    if len({"output_video", "output"} & set(row)) != 1:
        yield "it must have output_video, the file to write"
    for key in sorted(set(row) & {*_INPUTS, "prompt", "output_video", "output"}):
        if not isinstance(row[key], str):
            yield f"{key} is {row[key]!r}: it must be a text"
    if "prompt" not in row:
        yield "prompt is missing: it must be given"


def _item(row: Mapping[str, Any], beside: Path) -> WorldItem:
    given = next(row[key] for key in _INPUTS if key in row)
    return WorldItem(
        input=find_input(given, beside),
        prompt=row["prompt"],
        output=row["output_video"] if "output_video" in row else row["output"],
        seed=row.get("seed"),
        negative_prompt=row.get("negative_prompt"),
    )
