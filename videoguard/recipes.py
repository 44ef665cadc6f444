"""Reading a recipe: YAML and `--set` overrides in, one checked `RunConfig` out."""

import difflib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from videoguard.config import RunConfig, ScoringConfig
from videoguard.errors import UserError, refuse_all

Settings = dict[str, object]
Recipe = TypeVar("Recipe", bound=BaseModel)

_WORDS = {
    "Input should be": "it must be",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "String should match": "it must match",
}
_RULES = {
    "model_type": "it must be a mapping of keys",
    "dict_type": "it must be a mapping of keys",
    "tuple_type": "it must be a list",
    "path_type": "it must be a path",
}
# What pydantic adds to the place of an error: the branch of a union, the kind of a validator.
_NOT_A_KEY = ("function-", "tuple[", "literal[")


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The recipe of the flow `train-eval` at `path`, as `read_recipe` reads it."""
    return read_recipe(RunConfig, path, overrides)


def read_recipe(kind: type[Recipe], path: Path | None, overrides: Sequence[str] = ()) -> Recipe:
    """Read the recipe at `path`, or none, and lay `section.key=value` overrides (values in YAML) over it.

    Raises:
        UserError: the file is missing or not YAML, an override is malformed, or settings are refused; every refused
            setting is named at once, with the file, the field, its value and the rule.
    """
    return _validate(kind, path, {} if path is None else _read_yaml(path), overrides)


def load_scoring(path: Path | None, overrides: Sequence[str] = ()) -> ScoringConfig:
    """What scoring takes of the recipe at `path`, or the defaults where it is None, with overrides over it.

    Raises:
        UserError: as `load_recipe`; the other sections of the recipe are not looked at.
    """
    settings = {} if path is None else _read_yaml(path)
    taken = {name: value for name, value in settings.items() if name in ScoringConfig.model_fields}
    return _validate(ScoringConfig, path, taken, overrides)


def describe_faults(invalid: ValidationError, kind: type[BaseModel] = RunConfig) -> list[str]:
    """Every refused setting of a configuration in the words of a user: its dotted name, its value, the rule."""
    return [_describe(error, kind) for error in invalid.errors()]


def flatten(settings: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested settings by their dotted names, in their order: `{"training": {"epochs": 2}}` → `{"training.epochs": 2}`."""
    flat: dict[str, object] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def reproduce_command(recipe: str, overrides: Sequence[str], command: str = "run") -> str:
    """The command line that runs the same recipe with the same overrides."""
    return shlex.join(["video-guard", command, recipe, *(part for override in overrides for part in ("--set", override))])


def _validate(kind: type[Recipe], path: Path | None, settings: Settings, overrides: Sequence[str]) -> Recipe:
    for override in overrides:
        _lay_over(settings, override)
    try:
        return kind.model_validate(settings)
    except ValidationError as invalid:
        refuse_all(str(path or "settings"), describe_faults(invalid, kind))
        raise


def _read_yaml(path: Path) -> Settings:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"recipe {path} does not exist: give the path of a YAML file, such as configs/quickstart.yaml"
        ) from None
    except (OSError, UnicodeDecodeError) as unreadable:
        raise UserError(f"recipe {path} cannot be read: {unreadable}") from None
    except yaml.YAMLError as malformed:
        raise UserError(f"recipe {path} is not YAML: {malformed}") from None
    if not isinstance(settings, dict):
        raise UserError(
            f"recipe {path} holds {type(settings).__name__}: it must be a mapping of sections, such as `name: …`"
        )
    return settings


def _lay_over(settings: Settings, override: str) -> None:
    name, equals, text = override.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise UserError(f"--set {override}: it must read section.key=value, such as training.epochs=2")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as malformed:
        raise UserError(f"--set {override}: the value is not YAML: {malformed}") from None
    here = settings
    for part in parts[:-1]:
        inner = here.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = here[part] = {}
        here = cast(Settings, inner)
    here[parts[-1]] = value


def _describe(error: ErrorDetails, kind: type[BaseModel]) -> str:
    """One refused setting in the words of a user: its dotted name, its value, the rule."""
    location = error["loc"]
    field = ".".join(str(part) for part in location if isinstance(part, int) or not part.startswith(_NOT_A_KEY))
    if error["type"] == "missing":
        return f"{field} is missing: it must be given"
    if error["type"] == "extra_forbidden":
        return f"{field} is not a known key{_nearest(location, kind)}"
    rule = _RULES.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] == "value_error" and isinstance(error["input"], dict):
        return f"{field or 'recipe'}: {rule}"
    for pydantic_words, words in _WORDS.items():
        rule = rule.replace(pydantic_words, words)
    return f"{field} is {error['input']!r}: {rule[0].lower()}{rule[1:]}"


def _nearest(location: Sequence[int | str], kind: type[BaseModel]) -> str:
    """The known keys beside an unknown one, the most similar first."""
    section = kind
    for part in location[:-1]:
        inner = _section_of(section, str(part))
        if inner is None:
            return ""
        section = inner
    known = list(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f": did you mean {close[0]}?"
    return f": known are {', '.join(known)}"


def _section_of(section: type[BaseModel], key: str) -> type[BaseModel] | None:
    field = section.model_fields.get(key)
    if field is None:
        return None
    candidates = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
