"""What a recipe says of JSON answers, as generation and the rows take it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import cast

from pydantic import JsonValue
from transformers import PreTrainedTokenizerFast

from videoguard.config import InferenceSection
from videoguard.dataset.answer_schema import AnswerSchema
from videoguard.inference.engine import Engine
from videoguard.inference.generation import Answer, Constraint, GenerationSettings, Stop
from videoguard.inference.structured.ending import JsonScan
from videoguard.inference.structured.repair import repair
from videoguard.models.preprocessing import Preprocessor


@dataclass(frozen=True)
class CountedAnswer:
    """The answer that counts, and what it was generated as."""

    answer: str
    generated: str | None = None
    """None where `answer` is as generated."""


@dataclass(frozen=True)
class JsonAnswers:
    """Answers that are JSON."""

    schema: AnswerSchema
    constrained: bool = False
    """Whether they are held to the schema while they are generated."""
    repaired: bool = True
    """Whether broken ones are mended."""

    @property
    def decisions(self) -> dict[str, object]:
        """What decides an answer, and what counts of it."""
        return {"schema": dict(self.schema.content), "constrained": self.constrained, "repaired": self.repaired}

    def count(self, answer: Answer) -> CountedAnswer:
        """An answer after the repair, where it is wanted and needed."""
        mended = repair(answer.text, self.schema) if self.repaired else None
        return CountedAnswer(answer.text, None) if mended is None else CountedAnswer(mended, answer.text)


def json_answers(schema: Mapping[str, JsonValue] | None, inference: InferenceSection) -> JsonAnswers | None:
    """As a recipe has them; None where its answers are text."""
    if schema is None:
        return None
    return JsonAnswers(AnswerSchema(schema), inference.constrained, inference.repair)


def generation_settings(max_new_tokens: int, json: JsonAnswers | None, engine: Engine) -> GenerationSettings:
    """How answers are generated: JSON up to the end of its value, and held to its schema where that is wanted.

    Raises:
        UserError: decoding cannot be held to the schema, or no answer that fits it is as short as `max_new_tokens`.
    """
    if json is None:
        return GenerationSettings(max_new_tokens)
    free = free_settings(max_new_tokens, json, engine.preprocessor)
    if not json.constrained:
        return free
    # Its library is needed for nothing else.
    from videoguard.inference.structured.grammar import AnswerGrammar, SchemaConstraint

    tokenizer = cast("PreTrainedTokenizerFast", engine.preprocessor.tokenizer)
    grammar = AnswerGrammar(json.schema.content, tokenizer, engine.ends, engine.vocabulary)
    grammar.require_room(max_new_tokens)
    constraint: Callable[[], Constraint] = partial(SchemaConstraint, grammar, max_new_tokens)
    return replace(free, constraint=constraint)


def free_settings(max_new_tokens: int, json: JsonAnswers | None, preprocessor: Preprocessor) -> GenerationSettings:
    """How answers are generated that are held to nothing: JSON up to the end of its value."""
    return GenerationSettings(max_new_tokens, stops=() if json is None else (json_end(preprocessor),))


def json_end(preprocessor: Preprocessor) -> Callable[[], Stop]:
    """Makes stops that end an answer with its first whole JSON object or array."""
    # Half a character of a token reads as another one, which is no bracket and no quote either.
    written = cache(partial(preprocessor.tokenizer.decode, skip_special_tokens=True))

    def make() -> Stop:
        scan = JsonScan()

        def ends(tokens: Sequence[int]) -> bool:
            scan.read(str(written(tokens[-1])).encode())
            return scan.ended

        return ends

    return make
