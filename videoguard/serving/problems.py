"""What a client is told where it gets no answer: the thing, its value, the rule and the mend (RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

PROBLEM_TYPE = "application/problem+json"
_LONGEST_VALUE = 200


@dataclass
class ProblemError(Exception):
    """A request that gets no answer, told in the form of a problem."""

    status: int
    thing: str
    """What is wrong: a field of the request, the video, the model, the service."""
    value: object
    """What it is."""
    rule: str
    """What it must be."""
    mend: str
    """What the client can do."""
    headers: Mapping[str, str] = field(default_factory=dict)
    others: tuple["ProblemError", ...] = ()
    """Further things that are wrong with the same request."""

    def content(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": f"{self.thing} is {_shown(self.value)}: {self.rule}; {self.mend}",
            "thing": self.thing,
            "value": _shown(self.value),
            "rule": self.rule,
            "mend": self.mend,
            "request": request_id,
        }
        if self.others:
            told = [{"thing": each.thing, "value": _shown(each.value), "rule": each.rule} for each in (self, *self.others)]
            body["problems"] = told
        return body


def _shown(value: object) -> str:
    text = "absent" if value is None else str(value)
    # A lone surrogate, or a control character, has no place in an answer.
    clean = "".join(letter if letter.isprintable() else "�" for letter in text)
    return clean if len(clean) <= _LONGEST_VALUE else f"{clean[:_LONGEST_VALUE]}…"


def timed_out(seconds: float) -> ProblemError:
    """The answer was not there in time."""
    return ProblemError(
        504, "the time of the request", f"over {seconds:g} s", "an answer must be there by then",
        "try again, with a shorter answer or a smaller video, or raise --timeout of the service",
    )  # fmt: skip


def internal() -> ProblemError:
    """A fault of the program; its traceback stands in the log of the service."""
    return ProblemError(
        500, "the service", "failed", "this is a fault of the program", "tell who runs it the number of this request"
    )


def replaced() -> ProblemError:
    """The model was replaced between the request and its turn."""
    return ProblemError(
        503, "the model", "replaced by a newer one", "a request is answered by a model that is served",
        "try again at once", {"Retry-After": "1"},
    )  # fmt: skip
