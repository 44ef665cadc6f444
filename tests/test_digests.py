import hashlib
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import videoguard
from videoguard.digests import digest_file, digest_json, digest_source


def test_a_value_has_the_digest_of_its_shortest_sorted_json():
    expected = hashlib.sha256(b'{"a":[1,null,true,"\\u00e9"],"b":0.5}').hexdigest()
    assert digest_json({"b": 0.5, "a": [1, None, True, "é"]}) == expected


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5)))
def test_the_order_of_keys_does_not_matter(value):
    assert digest_json(dict(reversed(value.items()))) == digest_json(value)


@given(st.lists(st.integers() | st.text(max_size=3)), st.lists(st.integers() | st.text(max_size=3)))
def test_equal_digests_mean_equal_values(first, second):
    assert (digest_json(first) == digest_json(second)) == (first == second)


def test_names_of_files_that_are_not_utf8_have_a_digest():
    name = b"clip-\xff.mp4".decode("utf-8", "surrogateescape")
    assert digest_json({name: 1}) != digest_json({"clip-.mp4": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_json_does_not_have_are_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_json([value])


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    # https://csrc.nist.gov: SHA-256 of "abc"
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_fingerprint_covers_folders_and_modules_whatever_their_order():
    package = Path(videoguard.__file__).parent
    expected = digest_json(
        {
            **{path.relative_to(package).as_posix(): digest_file(path) for path in (package / "frames").rglob("*.py")},
            "errors.py": digest_file(package / "errors.py"),
        }
    )
    assert digest_source(["frames", "errors.py"]) == expected
    assert digest_source(["errors.py", "frames", "frames/store.py"]) == expected
    assert digest_source(["frames"]) != expected


@pytest.mark.parametrize("name", ["no_such_folder", "frames/no_such_module.py", "__pycache__"])
def test_a_name_without_source_is_refused(name):
    with pytest.raises(FileNotFoundError):
        digest_source([name])
