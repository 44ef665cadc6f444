"""Options that several commands take, told in the same words everywhere."""

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[Path, typer.Argument(help="YAML recipe, such as configs/quickstart.yaml.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given several times.")
]
RefreshOption = Annotated[
    list[str] | None, typer.Option(metavar="STEP", help="Make a step again though it is stored, such as inference.")
]
SummaryOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Show the log of Prefect.")]
