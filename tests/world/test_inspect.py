"""`video-guard world inspect`."""

import json

from typer.testing import CliRunner

from commands.main import app
from tests.world.conftest import lora_weights


def inspect(*arguments):
    return CliRunner().invoke(app, ["world", "inspect", *map(str, arguments)])


def test_statistics_and_modules_are_told(save_adapter, base_2b):
    told = inspect(save_adapter(lora_weights()), "--base", base_2b).output
    for line in ("1,979,351,040", "22,937,600", "1.159%", "560 of 280 modules", "transformer_blocks.27.ff.net.2"):
        assert line in told


def test_as_json(save_adapter):
    told = json.loads(inspect(save_adapter(lora_weights()), "--json").output)
    assert told["compared_with"] == "Cosmos-Predict2-2B"
    assert (told["tensors"], len(told["modules"]), told["lora_parameters"]) == (560, 280, 22_937_600)


def test_an_existing_folder_is_not_written_into(save_adapter):
    adapter = save_adapter(lora_weights())
    assert "it exists: give a new folder" in str(inspect(adapter, "--convert", adapter).exception)
