import string
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoguard.report.links import LONGEST_ADDRESS, video_link, web_link

REPORTS = Path("/srv/reports")
VALID = set(string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%")


@pytest.mark.parametrize(
    ("video", "media_root", "link"),
    [
        ("clips/a.mp4", None, "clips/a.mp4"),
        ("clips/a.mp4", Path("/srv/videos"), "../videos/clips/a.mp4"),
        ("clip 7 #2 100%.mp4", Path("/srv/reports"), "clip%207%20%232%20100%25.mp4"),
        ("/data/a b.mp4", Path("/srv/videos"), "file:///data/a%20b.mp4"),
        ("深蹲.mp4", None, "%E6%B7%B1%E8%B9%B2.mp4"),
        ("odd:name?.mp4", None, "odd%3Aname%3F.mp4"),
        ("C:\\videos\\a b.mp4", None, "file:///C:/videos/a%20b.mp4"),
        ("https://host.example/a b.mp4", None, None),
        ("https://host.example/a.mp4?x=1", None, "https://host.example/a.mp4?x=1"),
        ("s3://bucket/a.mp4", None, None),
        ("javascript://host.example/%0aalert(1)", None, None),
        ("new\nline.mp4", None, None),
        ("nul\x00.mp4", None, None),
        ("", None, None),
    ],
)
def test_a_video_is_linked_where_it_safely_can_be(video, media_root, link):
    assert video_link(video, media_root, REPORTS) == link


@pytest.mark.parametrize(("length", "linked"), [(LONGEST_ADDRESS, True), (LONGEST_ADDRESS + 1, False)])
def test_an_address_too_long_for_excel_is_not_linked(length, linked):
    assert (video_link("v" * length, None, REPORTS) is not None) is linked


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("http://127.0.0.1:5000/#/experiments/1", "http://127.0.0.1:5000/#/experiments/1"),
        ("http://[::1]:5000/a", "http://[::1]:5000/a"),
        ("https://host.example/é?q=100%#a#b", "https://host.example/%C3%A9?q=100%25#a%23b"),
        ("https://user:secret@host.example/", None),
        ("http://", None),
        ("http://[broken", None),
        ("see http://host.example", None),
        ("qved", None),
    ],
)
def test_web_pages_are_linked_and_nothing_else(value, link):
    assert web_link(value) == link


@given(
    st.text(st.characters(codec=None, exclude_categories=())), st.sampled_from([None, Path("/data/videos"), Path("videos")])
)
def test_any_name_gives_a_valid_address_or_none(video, media_root):
    link = video_link(video, media_root, REPORTS)
    assert link is None or (len(link) <= LONGEST_ADDRESS and set(link) <= VALID)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], codec="utf-8"), min_size=1, max_size=40))
def test_a_relative_link_leads_to_the_video(name):
    link = video_link(f"clips/{name}", Path("/srv/videos"), REPORTS)
    if "://" in name:
        return
    assert link is not None
    # `..` in a name is resolved on the way, as the operating system would.
    assert (REPORTS / unquote(link)).resolve() == Path(f"/srv/videos/clips/{name}").resolve()
