"""Constrained decoding against plain decoding: what it costs a step, and how many answers fit their schema.

    python benchmarks/structured.py                     200 answers of each schema, about two minutes on two cores
    python benchmarks/structured.py --answers 40 --json

A tiny Llama with random weights answers seeded prompts of random characters, greedily and in batches of 32: once as it
likes, once held to a schema. It knows nothing of JSON, so every valid answer is the constraint's work. The time of a step is
that of the whole call by its steps, prompts included; the added time is the difference, on the same number of rows. The goal
is that every constrained answer fits.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import torch

from videoguard.config import TinyModel
from videoguard.dataset.answer_schema import AnswerSchema, load_answer_schema
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, GenerationSettings
from videoguard.inference.structured.answers import JsonAnswers, generation_settings
from videoguard.models.base import find_base
from videoguard.models.loading import load_model, load_processor
from videoguard.models.preprocessing import Preprocessor
from videoguard.models.tiny.building import build_tiny
from videoguard.models.tiny.pretraining import tokenizer_corpus

BATCH = 32
GOAL = 1.0
TIMELINE = Path(__file__).resolve().parents[1] / "configs" / "schemas" / "timeline.json"
POINT = {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "number", "minimum": -1.5, "maximum": 99.25}}
TREE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["value", "children"],
    "properties": {
        "value": {"type": "integer", "minimum": 10, "maximum": 99},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    },
}
SCHEMAS = {
    "timeline": load_answer_schema(TIMELINE),
    "nested numbers": AnswerSchema({"type": "object", "required": ["path"], "additionalProperties": False, "properties": {
        "path": {"type": "array", "minItems": 1, "items": POINT}, "unit": {"enum": ["kg", "°", "m/s"]}}}),
    "recursive": AnswerSchema({"$defs": {"node": TREE}, "$ref": "#/$defs/node"}),
    "optional, unicode": AnswerSchema({"type": "object", "required": ["имя"], "additionalProperties": False, "properties": {
        "имя": {"type": "string", "pattern": "^[а-яё]+$", "minLength": 3, "maxLength": 12},
        "note": {"anyOf": [{"type": "null"}, {"type": "boolean"}, {"type": "string", "minLength": 10}]}}}),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200, help="of each schema")
    parser.add_argument("--tokens", type=int, default=128, help="longest answer")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        engine = untrained(Path(folder))
    prompts = seeded_prompts(engine, arguments.answers)
    figures = [{"schema": name, **measure(engine, prompts, schema, arguments.tokens)} for name, schema in SCHEMAS.items()]
    share = min(float(each["valid"]) / arguments.answers for each in figures)
    if arguments.json:
        print(json.dumps({"answers": arguments.answers, "schemas": figures, "ratio": share, "goal": GOAL}, indent=1))
    else:
        print(f"{'schema':22}{'valid':>12}{'plain':>14}{'constrained':>14}{'added':>14}")
        for each in figures:
            print(
                f"{each['schema']:22}{each['valid']:>5} of {arguments.answers:<4}{each['plain_ms']:>8.2f} ms/step"
                f"{each['constrained_ms']:>7.2f} ms/step{each['added_ms']:>7.2f} ms/step"
            )
        print(f"structured ratio {share:.3f} goal {GOAL:g}")
    return 0 if share >= GOAL else 1


def untrained(folder: Path) -> Engine:
    """A tiny Llama with random weights."""
    build_tiny(TinyModel(family="llama"), tokenizer_corpus(), 0, folder)
    base = find_base(str(folder))
    return Engine(load_model(base, "float32"), Preprocessor(load_processor(base), base.family), BATCH)


def seeded_prompts(engine: Engine, count: int) -> list[dict[str, torch.Tensor]]:
    chance = random.Random(0)
    texts = ["".join(chance.choices('abcdefgh {}[]":,', k=chance.randint(5, 60))) for _ in range(count)]
    return [engine.preprocessor.prompt([{"role": "user", "content": [{"type": "text", "text": text}]}]) for text in texts]


def measure(
    engine: Engine, prompts: list[dict[str, torch.Tensor]], schema: AnswerSchema, longest: int
) -> dict[str, float | int]:
    held, held_ms = timed(engine, prompts, generation_settings(longest, JsonAnswers(schema, constrained=True), engine))
    _, plain_ms = timed(engine, prompts, GenerationSettings(longest))
    return {
        "valid": sum(schema.find_violation(answer.text) is None for answer in held),
        "plain_ms": round(plain_ms, 3),
        "constrained_ms": round(held_ms, 3),
        "added_ms": round(held_ms - plain_ms, 3),
    }


def timed(
    engine: Engine, prompts: list[dict[str, torch.Tensor]], settings: GenerationSettings
) -> tuple[list[Answer], float]:
    """Answers, and milliseconds for one step of a full batch."""
    started = time.perf_counter()
    answers = engine.answer(prompts, settings)
    seconds = time.perf_counter() - started
    return answers, seconds * 1e3 / (sum(answer.new_tokens for answer in answers) / BATCH)


if __name__ == "__main__":
    sys.exit(main())
