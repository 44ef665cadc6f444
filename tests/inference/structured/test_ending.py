"""Where a JSON value ends while it is written."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.inference.structured.ending import JsonScan

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def _end(text: str) -> int | None:
    """Bytes that were read when the value ended."""
    scan = JsonScan()
    for count, byte in enumerate(text.encode(), start=1):
        scan.read(bytes([byte]))
        if scan.ended:
            return count
    return None


@settings(max_examples=40)
@given(st.lists(_values) | st.dictionaries(st.text(), _values), st.booleans(), st.text())
def test_the_end_is_the_last_bracket_of_the_value(value, ascii_only, behind):
    text = json.dumps(value, ensure_ascii=ascii_only)
    if not ascii_only:
        text = text.encode("utf-8", errors="replace").decode()
    assert _end(text + behind.encode("utf-8", errors="replace").decode()) == len(text.encode())


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('{"a": "}"} and more', '{"a": "}"}'),
        (r'{"a": "\\"}"}', r'{"a": "\\"}'),
        (r'{"a": "\""}', r'{"a": "\""}'),
        ('```json\n{"a": 1}\n```', '```json\n{"a": 1}'),
        ('As seen [sic]: {"a": [1, 2]}.', 'As seen [sic]: {"a": [1, 2]}'),
        ('{"a": [1, 2]', None),
        ('{"a": "unfinished}', None),
        ("no JSON at all", None),
        ("{'a': 1}", None),
    ],
)
def test_words_before_the_value_are_passed_over(text, read):
    assert _end(text) == (None if read is None else len(read.encode()))


def test_a_copy_goes_on_from_the_same_place():
    scan = JsonScan()
    scan.read(b'{"a')
    other = scan.copy()
    other.read(b'": 1}')
    assert (scan.ended, scan.in_text, other.ended, other.in_text) == (False, True, True, False)
