"""Whether an adapter fits a transformer: the faults that libraries pass over in silence, told before a weight is read."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from videoguard.errors import UserError, refuse_all
from videoguard.world.adapters.files import AdapterFile, Layout
from videoguard.world.adapters.names import diffusers_name
from videoguard.world.architecture import PUBLISHED, Architecture, published_architecture

HALVES = ("A", "B")
_BLOCK = re.compile(r"transformer_blocks\.(\d+)\.")


@dataclass(frozen=True)
class Expected:
    """What the user says of an adapter; None where nothing is said."""

    rank: int | None = None
    alpha: float | None = None
    targets: Sequence[str] | None = None


class AdapterFacts(BaseModel):
    """An adapter that was checked against a transformer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    layout: Layout
    rank: int
    """Of most modules."""
    ranks: dict[str, int]
    """Of the modules that have another rank."""
    alpha: float
    alpha_is_assumed: bool
    """Whether no file says it, so that it is taken to be the rank."""
    use_rslora: bool
    targets: list[str]
    """Ends of the names of the adapted modules."""
    modules: list[str]
    """Adapted modules in diffusers' words, in their order."""
    compared_with: str
    """The base, or the published size that the shapes are those of."""
    base_parameters: int
    lora_parameters: int

    @property
    def total_parameters(self) -> int:
        """Of base and adapter together."""
        return self.base_parameters + self.lora_parameters

    @property
    def ratio(self) -> float:
        """Share of the LoRA parameters in the total."""
        return self.lora_parameters / self.total_parameters

    @property
    def tensors(self) -> int:
        """LoRA weights: two a module."""
        return 2 * len(self.modules)


NOTHING_SAID = Expected()


def recognize(adapter: AdapterFile) -> Architecture:
    """The published transformer that most of an adapter's shapes are those of.

    Raises:
        UserError: they fit none.
    """
    fitting = {
        size: sum(_fits(module, halves, published_architecture(size)) for module, halves in adapter.halves.items())
        for size in PUBLISHED
    }
    size = max(fitting, key=lambda known: fitting[known])
    if adapter.halves and not fitting[size]:
        raise UserError(
            f"adapter {adapter.path}: its shapes are those of no published size ({', '.join(PUBLISHED)}): "
            "name the base that it was trained on with --base"
        )
    return published_architecture(size)


def check_adapter(adapter: AdapterFile, model: Architecture, expected: Expected = NOTHING_SAID) -> AdapterFacts:
    """What an adapter is, once all that could go wrong with it was looked for; the model is not needed for it.

    Raises:
        UserError: a list of all faults, each with an example: rank, alpha, targets, missing or unexpected weights, shapes
            of another size of the model.
    """
    if not adapter.halves:
        raise UserError(f"adapter {adapter.path}: {_why_none(adapter)}")
    targets = _targets(adapter, expected)
    problems = [
        *_rank_problems(adapter, expected),
        *_alpha_problems(adapter, expected),
        *_target_problems(adapter, model, targets, expected),
        *_half_problems(adapter),
        *_unexpected_problems(adapter, model),
        *_shape_problems(adapter, model),
        *_feature_problems(adapter),
    ]
    refuse_all(f"adapter {adapter.path} on {model.name}", problems)
    return _describe(adapter, model, expected)


def matches(module: str, targets: "Sequence[str] | str") -> bool:
    """Whether LoRA targets name a module, as peft reads them: ends of names, a regular expression, or `all-linear`."""
    if isinstance(targets, str):
        return targets == "all-linear" or re.fullmatch(targets, module) is not None
    return any(module == target or module.endswith(f".{target}") for target in targets)


def _describe(adapter: AdapterFile, model: Architecture, expected: Expected) -> AdapterFacts:
    ranks = {module: halves["A"][0] for module, halves in adapter.halves.items()}
    rank = Counter(ranks.values()).most_common(1)[0][0]
    alpha = expected.alpha if expected.alpha is not None else _alpha(adapter)
    modules = sorted(adapter.halves, key=_in_order)
    return AdapterFacts(
        path=str(adapter.path),
        layout=adapter.layout,
        rank=rank,
        ranks={module: ranks[module] for module in modules if ranks[module] != rank},
        alpha=float(rank if alpha is None else alpha),
        alpha_is_assumed=alpha is None,
        use_rslora=bool(adapter.settings.get("use_rslora", False)),
        targets=list(dict.fromkeys(_BLOCK.sub("", module) for module in modules)),
        modules=modules,
        compared_with=model.name,
        base_parameters=model.parameters,
        lora_parameters=sum(
            rows * columns for halves in adapter.halves.values() for rows, columns in (halves["A"], halves["B"])
        ),
    )


def _why_none(adapter: AdapterFile) -> str:
    if adapter.base_keys:
        return (
            f"it holds {len(adapter.base_keys):,} weights of a base model and no LoRA weight: give a checkpoint of a LoRA "
            "post-training (model.config.train_architecture=lora), or this one as the base"
        )
    return f"none of its {len(adapter.others):,} weights is one of LoRA (lora_A, lora_B): give the adapter's own file"


def _rank_problems(adapter: AdapterFile, expected: Expected) -> Iterator[str]:
    uneven = [module for module, halves in adapter.halves.items() if len(halves) == 2 and halves["A"][0] != halves["B"][-1]]
    if uneven:
        halves = adapter.halves[uneven[0]]
        yield (
            f"rank: lora_A and lora_B of {len(uneven):,} modules have different ranks, such as {uneven[0]} with "
            f"{halves['A'][0]} and {halves['B'][-1]}: they are of two trainings"
        )
    stated, pattern = adapter.settings.get("r"), adapter.settings.get("rank_pattern") or {}
    if stated is not None and not (isinstance(stated, int) and stated > 0):
        yield f"rank: its settings say r={stated!r}: it must be a whole number, at least 1"
        return
    found = {module: halves["A"][0] for module, halves in adapter.halves.items() if "A" in halves}
    if stated is not None:
        other = [module for module, rank in found.items() if rank != _by_pattern(module, pattern, stated)]
        if other:
            yield (
                f"rank: its settings say {_by_pattern(other[0], pattern, stated)} and the weights of {len(other):,} of "
                f"{len(found):,} modules have another, such as {other[0]} with {found[other[0]]}: "
                "take settings and weights from one training"
            )
    if expected.rank is not None and found and any(rank != expected.rank for rank in found.values()):
        ranks = ", ".join(str(rank) for rank in sorted(set(found.values())))
        yield f"rank: {expected.rank} was given and its weights have {ranks}: give the rank of its training, or leave it out"


def _alpha_problems(adapter: AdapterFile, expected: Expected) -> Iterator[str]:
    stated = adapter.settings.get("lora_alpha")
    if adapter.layout == "peft" and stated is None:
        yield "alpha: adapter_config.json has no lora_alpha: copy the file that was saved with the weights"
    if stated is not None and not (isinstance(stated, int | float) and not isinstance(stated, bool) and stated > 0):
        yield f"alpha: its settings say lora_alpha={stated!r}: it must be a number above 0"
    elif stated is not None and expected.alpha is not None and stated != expected.alpha:
        yield (
            f"alpha: {expected.alpha:g} was given and its settings say {stated:g}, which scales all that it learned: "
            "leave it out, or give the one of its training; `weight` makes an adapter stronger or weaker"
        )
    if adapter.settings.get("alpha_pattern"):
        yield "alpha: its settings have an alpha_pattern, one alpha for each module: only one for all can be used"


def _target_problems(
    adapter: AdapterFile, model: Architecture, targets: Sequence[str] | str | None, expected: Expected
) -> Iterator[str]:
    if targets is None:
        return
    whose = "the given targets" if expected.targets is not None else "the targets of its settings"
    named = [module for module in model.linear if matches(module, targets)]
    if not named:
        yield f"targets: none of {whose} ({_words(targets)}) matches a module of the model"
        return
    idle = [target for target in targets if not any(matches(module, [target]) for module in model.linear)]
    if isinstance(targets, Sequence) and not isinstance(targets, str) and idle:
        yield f"targets: {_words(idle)} of {whose} match no module of the model, and the others do"
    known = [module for module in adapter.halves if module in model.linear]
    beside = [module for module in known if not matches(module, targets)]
    if beside:
        yield (
            f"targets: {len(beside):,} modules have weights and are none of {whose} ({_words(targets)}), such as "
            f"{beside[0]}: their weights would be left out"
        )
    lacking = [module for module in named if module not in adapter.halves]
    if lacking and known:
        yield (
            f"missing weights: {len(lacking):,} of the {len(named):,} modules that {whose} name have none, such as "
            f"{lacking[0]}: the file is incomplete, or of a model with fewer blocks"
        )


def _half_problems(adapter: AdapterFile) -> Iterator[str]:
    for half in HALVES:
        without = [module for module, halves in adapter.halves.items() if half not in halves]
        if without:
            yield (
                f"missing weights: lora_{half} is missing for {len(without):,} of {len(adapter.halves):,} modules, such as "
                f"{without[0]}: the file is incomplete"
            )


def _unexpected_problems(adapter: AdapterFile, model: Architecture) -> Iterator[str]:
    unknown = [module for module in adapter.halves if module not in model.linear]
    deeper = [module for module in unknown if _block(module) >= model.blocks]
    if deeper:
        most = max(_block(module) for module in deeper) + 1
        yield (
            f"unexpected weights: {len(deeper):,} modules are of blocks that the model does not have, such as {deeper[0]}: "
            f"the adapter has {most} blocks and the model {model.blocks}: it is of another size"
        )
    strange = [module for module in unknown if module not in set(deeper)]
    if strange:
        yield (
            f"unexpected weights: {len(strange):,} of {len(adapter.halves):,} adapted modules are no linear module of the "
            f"model, such as {strange[0]}: the adapter is of another kind of model"
        )
    if adapter.others:
        yield (
            f"unexpected weights: {len(adapter.others):,} are not of LoRA, such as {adapter.others[0]}: "
            "only lora_A and lora_B can be used"
        )


def _shape_problems(adapter: AdapterFile, model: Architecture) -> Iterator[str]:
    wrong = list(_wrong_shapes(adapter, model))
    if wrong:
        name, shape, wanted = wrong[0]
        yield (
            f"shapes: {len(wrong):,} weights are of another size of the model, such as {name} with {list(shape)} where the "
            f"model takes {wanted}"
        )


def _wrong_shapes(adapter: AdapterFile, model: Architecture) -> Iterator[tuple[str, tuple[int, ...], str]]:
    for module, halves in adapter.halves.items():
        if module not in model.linear:
            continue
        out, inward = model.linear[module]
        if "A" in halves and (len(halves["A"]) != 2 or halves["A"][1] != inward):
            yield f"{module}.lora_A", halves["A"], f"[rank, {inward}]"
        if "B" in halves and (len(halves["B"]) != 2 or halves["B"][0] != out):
            yield f"{module}.lora_B", halves["B"], f"[{out}, rank]"


def _feature_problems(adapter: AdapterFile) -> Iterator[str]:
    for setting in ("use_dora", "lora_bias", "modules_to_save"):
        if adapter.settings.get(setting):
            yield f"layout: its settings have {setting}={adapter.settings[setting]!r}: only plain LoRA can be used"
    if adapter.settings.get("bias", "none") != "none":
        yield f"layout: its settings have bias={adapter.settings['bias']!r}: only plain LoRA can be used"


def _targets(adapter: AdapterFile, expected: Expected) -> Sequence[str] | str | None:
    """Targets in diffusers' words; None where nobody names any."""
    found = expected.targets if expected.targets is not None else adapter.settings.get("target_modules")
    if found is None or isinstance(found, str):
        return found
    return sorted(diffusers_name(target) for target in found)


def _alpha(adapter: AdapterFile) -> float | None:
    stated = adapter.settings.get("lora_alpha")
    return None if stated is None else float(stated)


def _by_pattern(module: str, pattern: Mapping[str, int], otherwise: int) -> int:
    """The rank that peft's `rank_pattern` gives a module: the first key that is the end of its name."""
    keys: Iterable[str] = pattern
    is_key: Callable[[str], bool] = lambda key: re.fullmatch(rf"(.*\.)?({diffusers_name(key)})", module) is not None  # noqa: E731
    return next((pattern[key] for key in keys if is_key(key)), otherwise)


def _fits(module: str, halves: Mapping[str, tuple[int, ...]], model: Architecture) -> bool:
    if module not in model.linear or set(halves) != set(HALVES):
        return False
    return (halves["B"][0], halves["A"][-1]) == model.linear[module]


def _block(module: str) -> int:
    found = _BLOCK.match(module)
    return int(found[1]) if found else -1


def _in_order(module: str) -> tuple[int, str]:
    return _block(module), module


def _words(targets: Sequence[str] | str) -> str:
    return targets if isinstance(targets, str) else ", ".join(targets)
