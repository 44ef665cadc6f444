"""`video-guard export`: a trained model as a folder that others load, and on the hub where that is asked."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from videoguard.config import RegistrySection


def export(
    model: Annotated[str, typer.Argument(help="models:/NAME@ALIAS, models:/NAME/VERSION or the folder of an adapter.")],
    folder: Annotated[Path, typer.Argument(help="New folder for the exported model.")],
    merge: Annotated[bool, typer.Option("--merge", help="Merge the adapter into the base: whole weights.")] = False,
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Number format of merged weights.")
    ] = "bfloat16",
    base: Annotated[str | None, typer.Option(help="Base model in place of the recorded one: a folder or hub name.")] = None,
    push: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Upload to this repository of the hub.")] = None,
    public: Annotated[bool, typer.Option("--public", help="A repository that --push makes is seen by all.")] = False,
    state: Annotated[Path, typer.Option(help="State folder of the runs.")] = Path(".video-guard"),
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server, where it is not in the state folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a trained model into a folder with a model card; with --merge as whole weights, with --push to the hub.

    Example: video-guard export models:/video-guard/3 exported --merge
    """
    # Loading them takes seconds, and no other command needs them.
    from videoguard.errors import UserError
    from videoguard.export.card import write_card
    from videoguard.export.folder import export_adapter, export_merged
    from videoguard.models.base import find_base
    from videoguard.models.preprocessing import read_record
    from videoguard.registry.references import find_model

    named = find_model(model, RegistrySection(tracking_uri=tracking_uri).uri(state), base)
    if named.adapter is None:
        raise UserError(f"model {model} has no adapter to export: name a registered version or the folder of an adapter")
    found = find_base(named.base)
    record = read_record(named.adapter)
    if merge:
        export_merged(named.adapter, found, dtype, folder)
    else:
        export_adapter(named.adapter, named.base, folder)
    title = push or folder.resolve().name
    write_card(
        folder,
        title=title,
        base=record.base,
        record=record,
        scores=named.scores,
        settings=named.settings,
        merged=merge,
    )
    pushed = None
    if push is not None:
        from videoguard.export.hub import push_to_hub

        pushed = push_to_hub(folder, push, private=not public)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "merged": merge, "bytes": size, "pushed": pushed}))
        return
    what = "base and adapter, merged" if merge else "adapter"
    typer.echo(f"{what}: {folder} ({size / 1e6:.1f} MB, README.md is its model card)")
    if pushed is not None:
        typer.echo(f"pushed: {pushed}")
