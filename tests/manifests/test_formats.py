"""Every format of the design, from the files that people have: one kind of sample out."""

import json
from pathlib import Path

import pytest

from videoguard.errors import UserError
from videoguard.manifests.formats.feedbacks import QUESTION as FEEDBACK_QUESTION
from videoguard.manifests.formats.guard_categories import QUESTION as GUARD_QUESTION
from videoguard.manifests.reading import ManifestReading, read_manifest
from videoguard.manifests.sample import Exchange, GuardAnnotation, Segment

PANCAKE = "clips/flipping_a_pancake.mkv"
PANCAKE_SAYS = "flipping pancake - a woman in a striped top flips a pancake in a frying pan."


def read(folder: Path, *rows: object) -> ManifestReading:
    path = folder / "manifest.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return read_manifest(path)


@pytest.fixture
def manifests(shared: Path):
    """Reads a manifest of the sample data."""
    return lambda name: read_manifest(shared / "data/manifests" / name, shared / "data")


@pytest.mark.parametrize(
    ("file", "format_name", "carrier", "samples"),
    [
        ("conversations.json", "conversations", "json", 6),
        ("conversations_with_bad_videos.json", "conversations", "json", 21),
        ("feedbacks_short_clips.json", "feedbacks", "json", 6),
        ("fine_grained_labels.json", "fine_grained", "json", 6),
        ("flat.json", "flat", "json", 6),
        ("guard_clips.jsonl", "guard_clips", "jsonl", 6),
        ("guard_live.json", "guard_live", "json", 2),
        ("messages_images.json", "messages", "json", 6),
        ("messages_video.json", "messages", "json", 6),
        ("qved_manifest.json", "classes", "json", 6),
        ("sharegpt_videos.json", "sharegpt", "json", 6),
        ("world_batch.json", "world", "json", 3),
    ],
)
def test_every_sample_manifest_loads_whole_and_is_named(manifests, file, format_name, carrier, samples):
    reading = manifests(file)
    assert (reading.format, reading.carrier, len(reading.samples)) == (format_name, carrier, samples)
    assert reading.problems == []
    assert len({sample.id for sample in reading.samples}) == samples


def test_no_sample_manifest_is_forgotten(shared):
    assert len(list((shared / "data/manifests").iterdir())) == 12


def test_the_same_exchange_in_four_formats_is_the_same_sample(manifests):
    wanted = [(s.id, s.video, s.question, s.answer) for s in manifests("conversations.json").samples]
    for other in ("flat.json", "messages_video.json", "sharegpt_videos.json"):
        assert [(s.id, s.video, s.question, s.answer) for s in manifests(other).samples] == wanted


def test_the_sources_of_qved_ask_one_question_and_have_labels(manifests):
    labelled, told = manifests("fine_grained_labels.json").samples[5], manifests("feedbacks_short_clips.json").samples[5]
    assert (labelled.video, labelled.label, labelled.answer) == (PANCAKE, "flipping pancake", PANCAKE_SAYS)
    assert (told.video, told.label, told.answer) == (PANCAKE, None, PANCAKE_SAYS)
    assert labelled.question == told.question == FEEDBACK_QUESTION
    assert manifests("fine_grained_labels.json").unread == {"labels after the first": 6}


def test_images_are_a_list_in_order(manifests):
    sample = manifests("messages_images.json").samples[0]
    assert sample.video is None
    assert sample.images == tuple(f"frames/plank_00000340/frame_{number}.jpg" for number in (1, 2, 3, 4))
    assert (sample.id, sample.answer) == ("frames/plank_00000340/frame_1.jpg", "plank")


def test_instruction_pairs_are_text_alone(shared):
    reading = read_manifest(shared / "data/timeline/sft_data.jsonl")
    assert (reading.format, reading.carrier, len(reading.samples), reading.problems) == ("instruction", "jsonl", 536, [])
    sample = reading.samples[0]
    assert sample.media == ()
    assert sample.question.startswith("You are a sports timeline generator.")
    assert sample.question.endswith("\n• Let's go GSW!")
    assert json.loads(str(sample.answer))["timeline"][0]["ts"] == "Q1 11:59"


def test_guarded_clips(manifests):
    sample = manifests("guard_clips.jsonl").samples[5]
    assert sample.guard == GuardAnnotation(
        labels=("C3",), segments=(Segment(("C3",), 0.0, 5.0, PANCAKE, PANCAKE_SAYS),), description=PANCAKE_SAYS
    )
    assert (sample.label, sample.question) == ("C3", GUARD_QUESTION)
    assert sample.answer == (
        f"<response>DESCRIPTION: {PANCAKE_SAYS} GUARDRAIL: "
        '{"C1(Sexual Content)": false, "C2(Harassment & Bullying)": false, "C3(Threats, Violence & Harm)": true, '
        '"C4(False & Deceptive Information)": false, "C5(Illegal/Regulated Activities)": false, '
        '"C6(Hateful Content & Extremism)": false}</response>'
    )


def test_live_segments(manifests):
    unsafe, safe = manifests("guard_live.json").samples
    assert unsafe.guard == GuardAnnotation(("C3",), (Segment(("C3",), 3.0, 6.0),))
    assert safe.guard == GuardAnnotation(())
    assert (unsafe.label, safe.label, unsafe.answer) == ("C3", "safe", None)


def test_world_rows_start_from_a_video_or_an_image(manifests):
    video, image, _ = manifests("world_batch.json").samples
    assert (video.video, video.images, video.output_video) == ("clips/drawing_tablet.mp4", (), "out/drawing.mp4")
    assert (image.video, image.images) == (None, ("frames/cooking/frame_1.jpg",))
    assert (image.question, image.answer) == ("A woman stirs vegetables in a pan.", None)


def test_an_object_of_videos_and_labels_is_a_list_of_classes(manifests):
    sample = manifests("qved_manifest.json").samples[0]
    assert (sample.video, sample.label, sample.answer) == ("dataset/plank/plank_00000340.mp4", "plank", "plank")


def test_the_message_forms_of_other_tools_are_read(tmp_path):
    parts = [{"type": "video_url", "video_url": {"url": "file://clips/a.mp4"}}, {"type": "text", "text": "What?"}]
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": [{"type": "text", "text": "a cat"}, {"type": "text", "text": "and a dog"}]},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "yes"},
    ]
    (sample,) = read(tmp_path, {"messages": turns}).samples
    assert (sample.video, sample.system, sample.question, sample.answer) == ("clips/a.mp4", "Be brief.", "Sure?", "yes")
    assert sample.history == (Exchange("What?", "a cat\nand a dog"),)


def test_sharegpt_may_have_conversations_and_images(tmp_path):
    turns = [{"from": "human", "value": "<image><image>\nWhat?"}, {"from": "gpt", "value": "a cat"}]
    (sample,) = read(tmp_path, {"conversations": turns, "images": ["a.jpg", "./b.jpg"]}).samples
    assert (sample.images, sample.question) == (("a.jpg", "b.jpg"), "What?")


def test_instructions_have_a_history(tmp_path):
    row = {"instruction": "Sum up.", "input": "a b", "output": "c", "history": [["before?", "that"]]}
    (sample,) = read(tmp_path, row).samples
    assert (sample.question, sample.history) == ("Sum up.\na b", (Exchange("before?", "that"),))


def test_other_fields_are_kept_and_what_cannot_be_is_told(tmp_path):
    row = {
        "video": "a.mp4",
        "question": "q",
        "answer": "a",
        "subject": 7,
        "fps": 29.97,
        "ok": True,
        "meta": {"a": 1},
        "note": "",
    }
    reading = read(tmp_path, row)
    assert reading.samples[0].fields == {"subject": 7, "fps": 29.97, "ok": True}
    assert reading.unread == {"meta": 1}


VIDEO = {"type": "video", "video": "a.mp4"}
TEXT = {"type": "text", "text": "q"}
AUDIO = {"type": "audio", "audio": "a.wav"}
IMAGE = {"type": "image", "image": "i.jpg"}
WHOLE = "full_video_annotation"
CLIPS = "clip_video_annotations"


def asked(*parts: object, answer: object = "a", **more: object) -> dict[str, object]:
    """A row of messages whose question has these parts."""
    content = list(parts) if not isinstance(parts[0], str) else parts[0]
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}], **more}


def guarded(**changes: object) -> dict[str, object]:
    """Two clips, the second of which is unsafe."""
    return {
        "full_video_path": "a.mp4",
        "clip_video_paths": ["a1.mp4", "a2.mp4"],
        "clip_video_labels": [[], ["C3"]],
        WHOLE: {"labels": ["C3"], "description": "d"},
        **changes,
    }


def live(label: str, *segments: object) -> dict[str, object]:
    return {"path": "a.mp4", "label": label, "segments": list(segments)}


OTHER_GUARDRAIL = {"labels": [], "description": "d", "guardrail": {"C1(Sexual Content)": True}}


@pytest.mark.parametrize(
    ("row", "field", "rule"),
    [
        (asked(AUDIO), "messages[0].content[0]", "text, image or video"),
        (asked(VIDEO, TEXT, answer=[IMAGE]), "messages[1].content[0]", "type text"),
        (asked({"type": "text", "text": 3}), "messages[0].content[0].text", "is 3"),
        (asked(VIDEO, VIDEO, TEXT), "videos", "are 2: a row may show one video"),
        (asked(VIDEO, IMAGE, TEXT), "images", "are 1 beside a video"),
        ({"messages": [{"role": "user", "content": "q"}]}, "messages", "has turns from user: they must be from user and"),
        (asked(VIDEO, TEXT, videos=["a.mp4"]), "messages[0].content", "a list: it must be a text"),
        (asked("q", videos=["a.mp4"]), "videos", "lists 1 and the questions hold 0 <video>"),
        ({"instruction": "i", "output": "o", "history": [["one"]]}, "history[0]", "a question and its answer"),
        ({"instruction": "i"}, "output", "is missing"),
        ({"video_path": "a.mp4", "feedbacks": []}, "feedbacks", "at least one entry"),
        ({"video_path": "a.mp4", "feedbacks": "text"}, "feedbacks", "must be a list"),
        ({"video_path": "a.mp4", "labels": ["plank"]}, "labels_descriptive", "is missing"),
        ({"video_path": "a.mp4", "labels": [], "labels_descriptive": "up"}, "labels", "at least one entry"),
        (guarded(clip_video_labels=[[]]), "clip_video_labels", "has 1 entries: it must have one for each of 2 clips"),
        (guarded(clip_video_labels=[["C7"], []]), "clip_video_labels[0]", "holds 'C7': it must be safe or of C1 to C6"),
        (guarded(**{WHOLE: OTHER_GUARDRAIL}), f"{WHOLE}.guardrail", "says C1 and the labels say safe"),
        (guarded(**{WHOLE: None}), WHOLE, "is missing"),
        (guarded(**{CLIPS: [{}, {"labels": []}]}), f"{CLIPS}[1].labels", "says safe and clip_video_labels C3"),
        (guarded(**{CLIPS: [{"time_range": "5-9"}, {}]}), f"{CLIPS}[0].time_range", "HHMMSS_HHMMSS"),
        (guarded(**{CLIPS: [{"time_range": "000010_000005"}, {}]}), f"{CLIPS}[0].time_range", "end after it begins"),
        (live("rude"), "label", "holds 'rude'"),
        (live("safe", {"start": 0, "end": 1}), "segments", "a safe part is no segment"),
        (live("C1", {"start": 2, "end": 1}), "segments[0]", "it must end after it begins"),
        (live("C1", {"start": 2}), "segments[0].end", "must be a number of seconds"),
        (live("C1", {"start": -1, "end": 2}), "segments[0].start", "must be a number of seconds"),
        (live("C1", 7), "segments[0]", "must be an object"),
        ({"input_video": "a.mp4", "prompt": "p", "output_video": "../b.mp4"}, "output_video", "must not leave the media"),
        ({"video": "a.mp4", "label": ["squat"]}, "label", "a list: it must be a text"),
        ({"video": "https://example.invalid/a.mp4", "label": "squat"}, "video", "not an address: download it first"),
        ({"frames": 3}, "video", "is missing"),
    ],
)
def test_a_bad_row_of_any_format_is_named_by_field_and_rule(tmp_path, row, field, rule):
    reading = read(tmp_path, {"video": "good.mp4", "question": "q", "answer": "a"}, row)
    assert [sample.video for sample in reading.samples] == ["good.mp4"]
    assert any(problem.row == 1 and problem.field == field and rule in problem.problem for problem in reading.problems), (
        reading.problems
    )


def test_rows_of_no_format_are_refused_with_their_fields(tmp_path):
    with pytest.raises(UserError, match=r"row 0, row: has the fields clip, note: no format has these \(docs/data.md"):
        read(tmp_path, {"clip": "a.mp4", "note": "hm"})


def test_rows_of_two_formats_may_stand_together(tmp_path):
    rows = [{"video": f"{n}.mp4", "question": "q", "answer": "a"} for n in range(2)]
    reading = read(tmp_path, {"video": "c.mp4", "label": "squat"}, *rows)
    assert reading.format == "flat, classes"
    assert reading.formats == {"flat": 2, "classes": 1}


def test_the_same_row_in_two_splits_is_kept_for_the_splitting_to_refuse(tmp_path):
    row = {"video": "a.mp4", "question": "q", "answer": "a"}
    reading = read(tmp_path, {**row, "split": "train"}, {**row, "split": "test"}, {**row, "split": "test"})
    assert [sample.split for sample in reading.samples] == ["train", "test"]
    assert len({sample.id for sample in reading.samples}) == 2
    assert [str(problem) for problem in reading.problems] == [
        "row 2, row: repeats row 1: media, question and answer are the same"
    ]


def test_media_may_lie_outside_where_it_is_allowed(tmp_path):
    (tmp_path / "root").mkdir()
    path = tmp_path / "root/manifest.json"
    names = ["/videos/a.mp4", "../b.mp4", "c\0.mp4"]
    path.write_text(json.dumps([{"video": name, "question": "q", "answer": "a"} for name in names]))
    with pytest.raises(UserError, match="none of its 3 rows can be read"):
        read_manifest(path)
    reading = read_manifest(path, allow_outside=True)
    assert [sample.path for sample in reading.samples] == [Path("/videos/a.mp4"), tmp_path / "root/../b.mp4"]
    assert [problem.row for problem in reading.problems] == [2]
