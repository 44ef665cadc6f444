"""Reasons told apart by their rule: `frame 3 is broken` and `frame 7 is broken` are one."""

import re
from collections.abc import Iterable

_VALUE = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|\[[^\[\]]*\]|(?<!\w)[-+]?\d[\d,.:]*(?<![,.:])""")


def rules_of(reasons: Iterable[str]) -> dict[str, str]:
    """What each reason is listed under: itself where no other is like it, else what they share, its values as `…`.

    Values are what stands in quotation marks or brackets, and numbers.
    """
    distinct = list(dict.fromkeys(reasons))
    alike: dict[str, list[str]] = {}
    for reason in distinct:
        alike.setdefault(_VALUE.sub("…", reason), []).append(reason)
    return {reason: reason if len(members) == 1 else rule for rule, members in alike.items() for reason in members}
