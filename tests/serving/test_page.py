"""The page in a browser: a real video is uploaded, and what is shown is what the API says."""

import base64
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from playwright.sync_api import Browser, Page, expect

from tests.browsing import SHOWN_WITHIN_MS, running_chromium
from tests.inference.guard.conftest import streaming_base
from tests.serving.conftest import QUESTION, Running, running
from tests.serving.test_guarding import guarding, judge, noise
from tests.serving.test_predicting import Held, post
from videoguard.serving.keys import ApiKeys, digest_key

__all__ = ["guarding", "noise", "streaming_base"]

PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser, request) -> Iterator[Callable[..., Page]]:
    """Opens the page of a service; how the test left it is shown in the folder that VIDEO_GUARD_SCREENSHOTS names."""
    pages: list[Page] = []
    faults: list[str] = []

    def opened(service: Running, **how: object) -> Page:
        page: Page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **how})
        page.set_default_timeout(SHOWN_WITHIN_MS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        # The policy refuses what is not the page's own; the page must not ask for such.
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(service.address)
        pages.append(page)
        return page

    yield opened
    for number, page in enumerate(pages):
        if folder := os.environ.get("VIDEO_GUARD_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{request.node.name}-{number}.png", full_page=True)
        page.context.close()
    assert faults == []


def choose(page: Page, video: Path) -> None:
    page.get_by_label("Choose a video").set_input_files(video)


def ask(page: Page, length: int = 12) -> None:
    page.get_by_text("More settings").click()
    page.get_by_label("Longest answer, tokens").fill(str(length))
    page.get_by_role("textbox", name="Question").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()


def asked_of_api(service: Running, video: Path, **fields: Any) -> dict[str, Any]:
    with video.open("rb") as file:
        answer = service.client.post("/v1/predict", data=fields, files={"video": (video.name, file)})
    found: dict[str, Any] = answer.json()
    return found


def test_the_answers_of_adapter_and_base_are_those_of_the_api(open_page, served, video, trained):
    page = open_page(served)
    choose(page, video)
    # The frames come before anything is asked.
    expect(page.locator("#frames li")).to_have_count(4)
    ask(page)
    answers = page.get_by_role("article")
    expect(answers).to_have_count(2)
    names = [str(trained.adapter), f"{trained.adapter}#base"]
    told = asked_of_api(
        served, video, question=QUESTION, model=names, max_new_tokens=12, label_scores=True, show_frames=True
    )
    for shown, answer, name, kind in zip(answers.all(), told["answers"], names, ("tuned", "base"), strict=True):
        expect(shown.get_by_role("heading", level=3)).to_have_text(re.compile(rf"{re.escape(name)} {kind}$"))
        expect(shown.locator("blockquote")).to_have_text(answer["answer"] or "(empty)")
        confidence = shown.get_by_role("listitem").filter(has_text="Confidence")
        expect(confidence).to_contain_text(f"{answer['confidence'] * 100:.1f} %")
        expect(shown.get_by_role("heading", level=4)).to_contain_text(f"Likeliest label: {answer['label']} (")
    images = page.locator("#frames img").evaluate_all("images => images.map(image => image.getAttribute('src'))")
    assert images == [frame["image"] for frame in told["frames"]]
    assert page.locator("#frames button").all_inner_texts() == [f"0:{frame['time_s']:04.1f}" for frame in told["frames"]]


def test_a_dropped_video_is_asked_the_question_of_the_training(open_page, settings, trained, video, tmp_path):
    adapter = tmp_path / "adapter"
    shutil.copytree(trained.adapter, adapter)
    record = json.loads((adapter / "preprocessing.json").read_text())
    (adapter / "preprocessing.json").write_text(json.dumps({**record, "question": QUESTION}))
    with running(settings(models=(str(adapter),))) as asking:
        page = open_page(asking)
        question = page.get_by_role("textbox", name="Question")
        expect(question).to_have_value(QUESTION)
        expect(page.get_by_role("button", name="Ask", exact=True)).to_be_disabled()
        dropped = page.evaluate_handle(
            """content => {
                const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
                const carried = new DataTransfer();
                carried.items.add(new File([bytes], "dropped.mp4", { type: "video/mp4" }));
                return carried;
            }""",
            base64.b64encode(video.read_bytes()).decode(),
        )
        page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
        expect(page.locator("#chosen")).to_contain_text("dropped.mp4")
        with page.expect_request("**/v1/predict") as sent:
            page.get_by_role("button", name="Ask", exact=True).click()
        assert b'name="question"' not in (sent.value.post_data_buffer or b"")
        expect(page.get_by_role("article")).to_have_count(2)
        told = asked_of_api(asking, video)["answers"][0]
        assert told["question"] == QUESTION
        expect(page.locator("article blockquote").first).to_have_text(told["answer"])
        # A question of one's own is asked; an emptied field goes back to that of the training.
        question.fill("How is the form?")
        page.get_by_role("button", name="Ask", exact=True).click()
        expect(page.locator("#progress")).to_have_text("Answered.")
        own = asked_of_api(asking, video, question="How is the form?")["answers"][0]
        expect(page.locator("article blockquote").first).to_have_text(own["answer"])
        question.fill("")
        question.blur()
        expect(question).to_have_value(QUESTION)
    # The service has ended.
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="The service cannot be reached")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_a_click_on_a_frame_shows_its_moment(open_page, served, video):
    page = open_page(served)
    choose(page, video)
    last = page.locator("#frames button").last
    last.click()
    wanted = float(last.inner_text().removeprefix("0:"))
    assert page.locator("video").evaluate("video => video.currentTime") == pytest.approx(wanted, abs=0.06)


def test_all_of_it_works_by_keyboard(open_page, served, video):
    page = open_page(served)
    page.on("filechooser", lambda chooser: chooser.set_files(video))
    expect(page.get_by_role("status").first).to_have_text("2 models served")

    def tab_to(element: str) -> None:
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == element:
                return
        raise AssertionError(f"Tab does not reach {element}")

    tab_to("file")
    ring = page.locator("#drop label").evaluate("label => getComputedStyle(label).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#frames li")).to_have_count(4)
    tab_to("model-1")
    page.keyboard.press("Space")
    tab_to("question")
    page.keyboard.type(QUESTION)
    tab_to("send")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article")).to_have_count(1)
    assert page.locator("#said").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(open_page, guarding, noise, scheme):
    page = open_page(guarding, viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
    choose(page, noise)
    ask(page, 40)
    expect(page.get_by_role("article")).to_have_count(1)
    page.get_by_role("button", name="Judge with the guard").click()
    expect(page.locator("#guard-state")).to_contain_text("judged in")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 3 * 128) == (scheme == "dark")


def test_decisions_of_the_guard_stand_under_the_video(open_page, guarding, noise):
    page = open_page(guarding, reduced_motion="reduce")
    choose(page, noise)
    page.get_by_text("More settings").click()
    page.get_by_label("Alarm from a probability of").fill("0.19")
    page.get_by_role("button", name="Judge with the guard").click()
    expect(page.locator("#guard-state")).to_contain_text("10 frames judged in")
    limits = ", ".join(f'"C{number}": 0.19' for number in range(1, 7))
    events = judge(guarding, noise, thresholds=f"{{{limits}}}")
    alarms = [content for name, content in events if name == "alarm"]
    # As test_guarding.py has it: the third category in the second, third and ninth frame, of one second each.
    assert [(alarm["category"], alarm["time"]) for alarm in alarms] == [("C3", 1.0), ("C3", 8.0)]
    marks = page.locator(".mark")
    expect(marks).to_have_count(2)
    expect(page.locator(".lane.C3 .mark")).to_have_count(2)
    expect(marks.first).to_have_accessible_name(
        re.compile("^Alarm: Threats, Violence & Harm, 0:01.0 to 0:03.0, up to 21.5 %$")
    )
    track = page.locator(".lane.C3 .track").bounding_box()
    mark = marks.first.bounding_box()
    assert track is not None
    assert mark is not None
    assert (mark["x"] - track["x"]) / track["width"] == pytest.approx(0.1, abs=0.01)
    assert mark["width"] / track["width"] == pytest.approx(0.2, abs=0.01)

    current = page.locator("#current")
    expect(current).to_have_text(re.compile("^0:00.0 · no alarm"))
    marks.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(current).to_have_text(re.compile("^0:08.0 · Alarm: Threats, Violence & Harm 19.9 %"))
    assert page.locator("video").evaluate("video => video.currentTime") == 8
    # The decision follows the playback.
    page.locator("video").evaluate("video => { video.currentTime = 2.5; }")
    expect(current).to_have_text(re.compile("^0:02.5 · Alarm: "))
    page.locator(".lane.C1 .track").click(position={"x": track["width"] * 0.55, "y": 5})
    expect(current).to_have_text(re.compile("^0:05.[45] · no alarm$"))
    (verdict,) = (content for name, content in events if name == "verdict")
    expect(page.locator("#guard-told blockquote")).to_have_text(verdict["description"] or verdict["text"])


@pytest.fixture(scope="module")
def with_key(settings, tmp_path_factory):
    """A service with the workbook of a run, for those who have the key `vg_secret`."""
    folder = tmp_path_factory.mktemp("reports")
    book = Workbook()
    book.create_sheet("Summary", 0)["A1"] = "content of the workbook"
    book.save(folder / "clinic-20260101-010101.xlsx")
    with running(settings(reports=folder), ApiKeys({"clinic": digest_key("vg_secret")})) as found:
        yield found


def test_a_key_is_wanted_and_workbooks_are_downloaded_with_it(open_page, with_key, tmp_path):
    page = open_page(with_key)
    field = page.get_by_label("API key", exact=True)
    field.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="API key is not known")).to_be_visible()
    field.fill("vg_secret")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 models served")).to_be_visible()
    page.reload()
    row = page.get_by_role("listitem").filter(has_text="clinic")
    with page.expect_download() as begun:
        row.get_by_role("link", name=re.compile("Workbook clinic-20260101-010101.xlsx")).click()
    begun.value.save_as(tmp_path / "got.xlsx")
    assert begun.value.suggested_filename == "clinic-20260101-010101.xlsx"
    assert load_workbook(tmp_path / "got.xlsx")["Summary"]["A1"].value == "content of the workbook"
    page.get_by_role("button", name="Forget the API key").click()
    expect(page.get_by_label("API key", exact=True)).to_be_visible()


def test_what_is_no_video_is_told_in_the_words_of_the_service(open_page, served, tmp_path):
    page = open_page(served)
    # A name that would be markup, if it were put in as such.
    broken = tmp_path / "<img src=x onerror=document.title='run'>.mp4"
    broken.write_bytes(b"no video")
    choose(page, broken)
    with broken.open("rb") as file:
        problem = served.client.post("/v1/frames", files={"video": (broken.name, file)}).json()
    expect(page.get_by_role("alert").filter(has_text=problem["detail"])).to_be_visible()
    expect(page.get_by_text("This browser cannot play the file")).to_be_visible()
    expect(page.locator("#chosen")).to_contain_text(broken.name)
    assert page.title() == "Video-Guard"
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)


def test_a_busy_service_can_be_asked_again(open_page, settings, video):
    with running(settings(queue=1)) as busy, ThreadPoolExecutor(1) as other:
        page = open_page(busy)
        choose(page, video)
        expect(page.locator("#frames li")).to_have_count(4)
        with Held(busy) as held:
            coming = other.submit(post, busy, video)
            held.wait_for(1)
            ask(page)
            expect(page.get_by_role("alert").filter(has_text="the service takes 1 at a time")).to_be_visible()
        assert coming.result().status_code == 200
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("article")).to_have_count(2)


def test_only_the_page_itself_may_run_in_it(served):
    for path in ("/", "/page/page.js", "/page/page.css"):
        answer = served.client.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
    assert served.client.get("/page/../app.py").status_code == 404
    assert served.client.get("/page/%2e%2e/app.py").status_code == 404
    # The page takes no request from an endpoint that is asked the wrong way.
    assert served.client.get("/v1/predict").status_code == 405
