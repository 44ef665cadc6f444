"""No manifest names a file outside the media root, however it writes the path."""

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.manifests.paths import MediaRule

PATHS = st.lists(st.sampled_from(["..", ".", "", "a", "b.mp4", "é", "file:", " "]), min_size=1, max_size=8).map("/".join)


@settings(max_examples=500, deadline=None)
@given(PATHS)
def test_what_is_allowed_stays_inside(tmp_path_factory, written):
    root: Path = tmp_path_factory.getbasetemp()
    rule = MediaRule(root)
    name = rule.simplify(written)
    if rule.broken_by(name) is None:
        assert Path(os.path.normpath(root / name)).is_relative_to(root)
    else:
        assert name.startswith("/") or ".." in name.split("/")
        assert MediaRule(root, allow_outside=True).broken_by(name) is None


@settings(max_examples=300, deadline=None)
@given(PATHS.filter(lambda path: not path.startswith(("//", "file://"))))
def test_a_file_has_one_name(written):
    assert MediaRule(Path()).simplify(written) == PurePosixPath(written).as_posix()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("http:/a.invalid/a.mp4", "not an address"),
        ("S3:/bucket/a.mp4", "not an address"),
        ("data:image/png;base64,xx", "not an address"),
        ("a\0b", "null character"),
        ("é" * 128, "longer than the path"),
        ("a/" * 600, "longer than the path"),
    ],
)
def test_what_is_no_file_is_refused_even_where_media_may_lie_outside(name, rule):
    assert rule in str(MediaRule(Path(), allow_outside=True).broken_by(name))


def test_a_colon_is_part_of_a_name():
    assert MediaRule(Path()).broken_by("take: 2.mp4") is None


def test_links_in_a_circle_lead_nowhere(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert MediaRule(tmp_path).broken_by("loop/a.mp4") is None
    assert "must not leave" in str(MediaRule(tmp_path).broken_by("a/../loop"))
