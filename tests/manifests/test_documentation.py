"""The examples of docs/data.md are what they say."""

import json
import re
from pathlib import Path

import pytest

from videoguard.manifests.formats.catalogue import FORMATS
from videoguard.manifests.reading import read_manifest

PAGE = (Path(__file__).resolve().parents[2] / "docs/data.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"### `(\w+)`\n.*?```json\n(.*?)```", PAGE, re.DOTALL))


def test_every_format_has_its_example_in_the_order_in_which_they_are_tried():
    assert list(EXAMPLES) == list(FORMATS)


@pytest.mark.parametrize("format_name", EXAMPLES)
def test_an_example_is_read_in_its_format(tmp_path, format_name):
    path = tmp_path / "list.json"
    path.write_text(json.dumps([json.loads(EXAMPLES[format_name])]))
    reading = read_manifest(path)
    assert reading.format == format_name
    assert reading.problems == []
