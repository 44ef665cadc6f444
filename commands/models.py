"""`video-guard models`: the versions of a registered model, and which of them is used."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from videoguard.config import RegistrySection
from videoguard.registry.standing import BY_HAND, CHAMPION, ROLLED_BACK

if TYPE_CHECKING:
    from videoguard.registry.aliases import Aliases, RegisteredVersion

NameOption = Annotated[str, typer.Option("--name", help="Registered model.")]
StateOption = Annotated[Path, typer.Option("--state", help="State folder of the runs.")]
TrackingOption = Annotated[
    str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server, where it is not in the state folder.")
]
ReasonOption = Annotated[str, typer.Option(help="Why, recorded as a tag of the version.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NAME, STATE = "video-guard", Path(".video-guard")
_NO_REASON = "no reason given"

app = typer.Typer(
    no_args_is_help=True, help="The versions of a registered model, and which of them is used.", rich_markup_mode=None
)


@app.command()
def ls(
    name: NameOption = NAME, state: StateOption = STATE, tracking_uri: TrackingOption = None, as_json: JsonOption = False
) -> None:
    """List the versions, oldest first, with their aliases and what was decided of each.

    Example: video-guard models ls
    """
    aliases = _aliases(name, state, tracking_uri)
    holders = aliases.holders()
    listed = [_facts(version, holders) for version in aliases.versions()]
    if as_json:
        _print_json({"model": name, "aliases": holders, "versions": listed})
        return
    table = Table("version", "alias", "created", "base model", "decision", box=None, pad_edge=False)
    for facts in listed:
        created = datetime.fromisoformat(str(facts["created"])).astimezone()
        held = facts["aliases"]
        assert isinstance(held, list)
        words = (
            ", ".join(map(str, held)),
            f"{created:%Y-%m-%d %H:%M}",
            str(facts["base_model"]),
            _decided(facts),
        )
        table.add_row(str(facts["version"]), *map(escape, words))
    console = Console()
    console.print(table)
    number = "1 version" if len(listed) == 1 else f"{len(listed)} versions"
    console.print(f"{number} of {name}; video-guard models diff tells in what two differ", highlight=False)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Number or alias of a version, such as 3 or candidate.")],
    reason: ReasonOption = _NO_REASON,
    name: NameOption = NAME,
    state: StateOption = STATE,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a version champion without a test. The champion before becomes `previous`.

    Exit status: 0 done; 1 MLflow does not answer; 2 there is no such version, or it is champion already.

    Example: video-guard models promote candidate --reason "better on the new camera"
    """
    promoted, before = _aliases(name, state, tracking_uri).promote(version, reason)
    if as_json:
        _print_json({"model": name, "champion": promoted, "previous": before})
    else:
        replaced = "" if before is None else f", in place of version {before}, which is now previous"
        typer.echo(f"{name}: version {promoted} is the champion{replaced}")


@app.command()
def rollback(
    reason: ReasonOption = _NO_REASON,
    name: NameOption = NAME,
    state: StateOption = STATE,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make `previous` champion again. No test promotes the version that it replaces a second time.

    Exit status: 0 done; 1 MLflow does not answer; 2 there is nothing to go back to.

    Example: video-guard models rollback --reason "wrong on squats since Monday"
    """
    restored, replaced = _aliases(name, state, tracking_uri).roll_back(reason)
    if as_json:
        _print_json({"model": name, "champion": restored, "rolled_back": replaced})
    else:
        typer.echo(f"{name}: version {restored} is the champion again, in place of version {replaced}")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(help="Number or alias of a version.")] = CHAMPION,
    second: Annotated[str, typer.Argument(help="Number or alias of another one.")] = "candidate",
    everything: Annotated[bool, typer.Option("--all", help="Also what is the same.")] = False,
    name: NameOption = NAME,
    state: StateOption = STATE,
    tracking_uri: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell in what two versions differ: settings, scores, base model, decision.

    The scores are those of each version's own run, perhaps on other test samples: a promotion asks both about the same ones.

    Example: video-guard models diff 3 4
    """
    aliases = _aliases(name, state, tracking_uri)
    versions = [aliases.version(each) for each in (first, second)]
    sides = [_details(aliases, version) for version in versions]
    shown: dict[str, dict[str, list[object]]] = {}
    for section in sides[0]:
        left, right = (side[section] for side in sides)
        keys = [*left, *(key for key in right if key not in left)]
        pairs = {key: [left.get(key), right.get(key)] for key in keys}
        shown[section] = {key: pair for key, pair in pairs.items() if everything or pair[0] != pair[1]}
    numbers = [version.number for version in versions]
    if as_json:
        _print_json({"model": name, "versions": numbers, **shown})
        return
    table = Table("", *(f"version {number}" for number in numbers), box=None, pad_edge=False)
    for section, pairs in shown.items():
        for key, pair in pairs.items():
            table.add_row(escape(f"{section}: {key}"), *(_cell(value) for value in pair))
    console = Console()
    if table.row_count:
        console.print(table)
    else:
        console.print(f"versions {numbers[0]} and {numbers[1]} of {name} do not differ", highlight=False)


def _aliases(name: str, state: Path, tracking_uri: str | None) -> "Aliases":
    # Loading MLflow takes seconds, and no other command needs it.
    from videoguard.errors import UserError
    from videoguard.registry.aliases import Aliases
    from videoguard.registry.standing import SQLITE

    uri = RegistrySection(tracking_uri=tracking_uri).uri(state)
    database = Path(uri.removeprefix(SQLITE))
    # MLflow would make an empty database there.
    if uri.startswith(SQLITE) and not database.is_file():
        raise UserError(
            f"there is no MLflow database {database}: name the state folder of a run with --state, or run a recipe"
        )
    return Aliases(uri, name)


def _facts(version: "RegisteredVersion", holders: Mapping[str, str]) -> dict[str, object]:
    number = version.number
    return {
        "version": number,
        "aliases": sorted(alias for alias, holder in holders.items() if holder == number),
        "created": version.created.isoformat(timespec="seconds"),
        "run_id": version.run_id,
        "base_model": version.tags.get("base_model", ""),
        "tags": dict(version.tags),
    }


def _decided(facts: Mapping[str, object]) -> str:
    """What was last decided of a version, and by what."""
    tags = facts["tags"]
    assert isinstance(tags, dict)
    for by_person in (BY_HAND, ROLLED_BACK):
        if by_person in tags:
            return str(tags[by_person])
    if "promotion.decision" not in tags:
        return "not tested"
    against = tags.get("promotion.against", "base")
    opponent = "the base model" if against == "base" else f"version {against}"
    figures = (
        [f"{tags['promotion.metric']} {float(tags['promotion.difference']):+.3f}"] if "promotion.difference" in tags else []
    )
    figures += [f"p {float(tags['promotion.p_value']):.2g}"] if "promotion.p_value" in tags else []
    return f"{tags['promotion.decision']} against {opponent}" + (f" ({', '.join(figures)})" if figures else "")


def _details(aliases: "Aliases", version: "RegisteredVersion") -> dict[str, dict[str, object]]:
    settings, scores = aliases.run_data(version)
    return {
        "version": {"created": f"{version.created:%Y-%m-%d %H:%M} UTC", "run": version.run_id},
        "tag": dict(sorted(version.tags.items())),
        "setting": dict(sorted(settings.items())),
        "score": {key: value for key, value in sorted(scores.items()) if key.startswith(("fine_tuned.", "comparison."))},
    }


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
