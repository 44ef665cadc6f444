"""`video-guard doctor`: what this machine has, lacks, and how to mend it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from videoguard.config.places import CLUSTER_VARIABLE


def doctor(
    prepare: Annotated[bool, typer.Option("--prepare", help="Fetch what the metrics need first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    state: Annotated[Path, typer.Option(help="State folder.")] = Path(".video-guard"),
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            envvar=CLUSTER_VARIABLE,
            help="Dask scheduler (tcp://HOST:PORT): examine its workers, too. VIDEO_GUARD_STORE names the shared store.",
        ),
    ] = None,
) -> None:
    """Tell versions, GPU, decoder, disk, ports and metric resources, and how to mend what is missing.

    Exit status: 0 nothing is missing, 1 something is.

    Example: video-guard doctor --json
    """
    from videoguard.doctor import examine, examine_workers, prepare_resources, print_findings

    prepared = {finding.name: finding for finding in prepare_resources(state)} if prepare else {}
    # What the preparation says of a resource also tells which ways were tried.
    findings = [prepared.get(finding.name, finding) for finding in examine(state)]
    if cluster:
        findings += examine_workers(state, cluster)
    if as_json:
        typer.echo(json.dumps([finding.model_dump() for finding in findings], indent=1))
    else:
        print_findings(findings)
    if any(finding.status == "missing" for finding in findings):
        raise typer.Exit(1)
