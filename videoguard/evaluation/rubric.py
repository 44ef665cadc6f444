"""What a judge is asked, and how its reply is read."""

import re

PROMPT_VERSION = "1"
"""Part of what a rating is stored by: change it with the words below."""

_RUBRIC = """You judge an answer about a video against the wanted answer. You do not see the video;
the wanted answer is right.

Rate how well the answer agrees with the wanted answer, from 1 to 5:
5: it says the same: the same exercise or action, and the same feedback, in whatever words
4: the same exercise or action; the feedback agrees in the main point and lacks or adds a detail
3: the same exercise or action; the feedback agrees in part
2: the wrong exercise or action with feedback that would fit, or the right one with feedback that contradicts
1: wrong, empty or about something else

Question: {question}
Wanted answer: {reference}
Answer: {answer}

Reply with one line "Score: N", N from 1 to 5, and one more line with the reason in a sentence."""

_SCORE = re.compile(r"\b(?:score|rating)\b[\s\"'*_]*[:=]?[\s\"'*_]*([1-5])(?![0-9]|[.,][0-9])", re.IGNORECASE)
_ALONE = re.compile(r"\W*([1-5])(?![0-9]|[.,][0-9])(?:\s*/\s*5)?\W*(?:\n|$)")
_REASON_MARK = re.compile(r"^\W*reason\W*", re.IGNORECASE)


def judge_prompt(question: str, reference: str, answer: str) -> str:
    """The prompt for one answer."""
    return _RUBRIC.format(question=question or "(none)", reference=reference, answer=answer or "(empty)")


def read_rating(reply: str) -> tuple[int, str] | None:
    """Rating and reason of a reply: after the first "score" or "rating", else a number alone on the first line.

    None where there is neither: a reply that cannot be read is no rating.
    """
    found = _SCORE.search(reply) or _ALONE.match(reply.lstrip())
    if found is None:
        return None
    rest = reply[reply.find(found.group(0)) + len(found.group(0)) :].strip().strip("/5}\"'*").strip()
    return int(found.group(1)), _REASON_MARK.sub("", rest).strip()
