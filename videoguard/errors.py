"""Failures that are told to the user in words, apart from faults of the program."""

from collections.abc import Iterable


class UserError(Exception):
    """The user's input was refused.

    The message names the thing, its value, the rule and the mend. The command line prints it without a traceback and
    exits with status 2; no retry can mend it.
    """


class UnavailableError(Exception):
    """A service that the run needs does not answer.

    A retry, or the same command later, goes on from what is stored. The command line prints the message without a traceback
    and exits with status 1.
    """


def refuse_all(subject: str, problems: Iterable[str]) -> None:
    """Raise one `UserError` that lists every problem of `subject`; return where there is none."""
    listed = list(problems)
    if not listed:
        return
    if len(listed) == 1:
        raise UserError(f"{subject}: {listed[0]}")
    raise UserError(f"{subject}: {len(listed)} problems\n" + "\n".join(f"  - {problem}" for problem in listed))
