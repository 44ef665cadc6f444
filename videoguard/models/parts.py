"""Which modules of a model belong to which of its parts."""

import re
from collections.abc import Iterable, Sequence

from videoguard.config.training import Part
from videoguard.models.families import Family


def part_of(module: str, family: Family) -> Part | None:
    """The part that a module belongs to, by its full name: what is no other is the language model. None where it hears."""
    if family.audio is not None and re.fullmatch(family.audio, module):
        return None
    if re.fullmatch(family.projector, module):
        return "projector"
    return "vision" if re.fullmatch(family.vision, module) else "language"


def outside(parts: Sequence[Part], family: Family) -> str | None:
    """Pattern of the full names of the modules that belong to none of `parts`; None where every module belongs to one."""
    if "language" in parts:
        # Where a pattern matches nothing, peft warns.
        seeing = {} if family.media == "text" else _patterns(family)
        left = [pattern for part, pattern in seeing.items() if part not in parts]
        return "|".join([*left, *([] if family.audio is None else [family.audio])]) or None
    wanted = "|".join(pattern for part, pattern in _patterns(family).items() if part in parts)
    return f"(?!(?:{wanted})$).*"


def topmost(modules: Iterable[str], pattern: str) -> list[str]:
    """Full names that match a pattern, without those within another one that does."""
    found: list[str] = []
    for name in sorted(modules):
        if re.fullmatch(pattern, name) and not any(name.startswith(f"{above}.") for above in found):
            found.append(name)
    return found


def _patterns(family: Family) -> dict[Part, str]:
    return {"vision": family.vision, "projector": family.projector}
