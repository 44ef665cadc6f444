"""The page read back: the same figures as the scores, and nothing that a text could run."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from tests.report.test_samples import picture
from videoguard.config import SamplesSection
from videoguard.evaluation.scores import Evaluation
from videoguard.report.content import ModelResult
from videoguard.report.web_page import write_page

# HTML elements that have no end tag.
VOID = {"meta", "img", "input", "rect"}


class Page(HTMLParser):
    """Tables by section, pictures, links and scripts of a page; every element is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.images, self.links, self.scripts, self.notices = [], [], [], []
        self.section = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "section":
            self.section = attributes["id"]
            self.rows[self.section] = []
        if tag == "tr":
            self.rows[self.section].append([])
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("")
        if tag == "img":
            self.images.append(attributes["src"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" in self.open:
            self.scripts[-1] += data
        elif {"td", "th"} & set(self.open):
            self.rows[self.section][-1][-1] += data


@pytest.fixture
def page(tmp_path):
    def write_and_read(content):
        write_page(content, tmp_path / "report.html")
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        return Page(text), text

    return write_and_read


def test_the_page_has_the_sections_of_the_workbook(make, page):
    found, _ = page(make.content(comparison=make.comparison()))
    sections = ["summary", "results", "comparison", "per_exercise", "confusion", "samples", "errors", "run"]
    assert list(found.rows) == sections
    found, _ = page(make.content(sheets=("run", "errors")))
    assert list(found.rows) == ["run", "errors"]


def test_its_figures_are_those_of_the_evaluation(make, page):
    found, _ = page(make.content(comparison=make.comparison()))
    first, second = found.rows["summary"][1:3]
    assert first[:4] == ["BERT similarity", "base", "0.500", "0.300 – 0.700"]
    assert second[:8] == ["BERT similarity", "tuned, version 3", "0.500", "0.150 – 0.950", "", "3", "1", "0.400"]
    lines = {row[0]: row for row in found.rows["results"][1:]}
    assert (lines["a"][7], lines["a"][8], lines["c"][7]) == ("0.950", "yes", "–")
    assert lines["c"][-2:] == ["failed", "the decoder gave up"]
    assert ["squat", "1", "8", "1", "10", "80.0%", "0.889"] in found.rows["confusion"]
    compared = next(row for row in found.rows["comparison"] if row[0] == "BERT similarity")
    assert compared == [
        *("BERT similarity", "0.417", "0.500", "+0.083", "-0.350", "+0.700", "3", "1", "1", "0", "2"),
        *("paired bootstrap", "0.6200", "1.0000", "no difference shown"),
    ]


def test_numbers_carry_their_whole_value_to_be_sorted_by(make, page):
    _, text = page(make.content())
    assert f'data-v="{1 / 3}"' in text


def test_frames_are_inside_the_page(make, page):
    frames = {"clips/d.mp4": [picture("red"), picture("blue")]}
    found, _ = page(make.content(frames=frames, samples=SamplesSection(worst=1, best=1)))
    (source,) = found.images
    head, _, data = source.partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data).startswith(b"\xff\xd8")


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "a\x00b\x1b\ud800c",
    "القرفصاء 深蹲 🏋️",
    "{{ 7 * 7 }}",
]


def test_no_text_is_run_and_every_text_is_shown(make, page):
    rows = [make.answer_row(str(place), text, label=text, video=text) for place, text in enumerate(HOSTILE)]
    model = ModelResult(name=HOSTILE[0], rows=rows, evaluation=Evaluation(rows=[], summary={}))
    content = make.content(models=[model], title=HOSTILE[1], partial=HOSTILE[2], row_problems=HOSTILE)
    found, text = page(content)
    answers = [row[5] for row in found.rows["results"][1:]]
    assert answers == [*HOSTILE[:3], "abc", *HOSTILE[4:]]
    assert len(found.scripts) == 1
    assert not any(link.startswith("javascript:") for link in found.links)
    # The page allows this script and no other.
    digest = base64.b64encode(hashlib.sha256(found.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_a_page_without_any_sample_says_so(make, page):
    empty = ModelResult(name="tuned", rows=[], evaluation=Evaluation(rows=[], summary={}))
    found, text = page(make.content(models=[empty], quarantine=[], row_problems=[]))
    assert "Nothing failed" in text
    assert not re.search("nan|inf|None", "".join(cell for rows in found.rows.values() for row in rows for cell in row))


def test_a_partial_run_is_told(make, page):
    _, text = page(make.content(partial="limit=4"))
    assert "Partial run: limit=4" in text
    assert "Partial run" not in page(make.content())[1]
