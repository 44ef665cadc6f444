"""Manifests as users bring them: good rows read, bad ones named, nothing dropped in silence."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoguard.errors import UserError
from videoguard.manifests.reading import ManifestReading, read_manifest
from videoguard.manifests.sample import Exchange, RowProblem, Sample


def conversation(video: object = "a.mp4", question: object = "q", answer: object = "a", **more: object) -> dict[str, object]:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"video": video, "conversations": turns, **more}


def read(folder: Path, *rows: object) -> ManifestReading:
    path = folder / "manifest.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return read_manifest(path)


def only_problem(folder: Path, row: object) -> RowProblem:
    """The one problem of a row that stands beside a good one."""
    reading = read(folder, conversation("good.mp4"), row)
    assert [sample.video for sample in reading.samples] == ["good.mp4"]
    (problem,) = reading.problems
    assert problem.row == 1
    return problem


def test_conversations_form(shared):
    root = shared / "data"
    reading = read_manifest(root / "manifests/conversations.json", root)

    assert reading.format == "conversations"
    assert reading.problems == []
    assert len(reading.samples) == 6
    assert reading.samples[2] == Sample(
        id="clips/cooking.avi",
        video="clips/cooking.avi",
        root=root,
        question="What is happening in this video?",
        answer="cooking - a woman fries diced carrot and onion in a pan.",
    )


def test_flat_form_says_the_same(shared):
    root = shared / "data"
    flat = read_manifest(root / "manifests/flat.json", root)
    assert flat.format == "flat"
    assert flat.samples == read_manifest(root / "manifests/conversations.json", root).samples


def test_missing_and_undecodable_videos_are_no_problem_of_the_manifest(shared):
    root = shared / "data"
    reading = read_manifest(root / "manifests/conversations_with_bad_videos.json", root)
    assert len(reading.samples) == 21
    assert reading.problems == []


def test_paths_are_relative_to_the_manifest_where_no_media_root_is_given(tmp_path):
    assert read(tmp_path, conversation("clips/a.mp4")).samples[0].path == tmp_path / "clips/a.mp4"


def test_byte_order_mark_and_carriage_returns_are_read(shared):
    reading = read_manifest(shared / "data/broken/bom_crlf.json", shared / "data")
    assert [sample.video for sample in reading.samples] == ["clips/plank_00000340.mp4", "clips/baby_reading.mp4"]


def test_good_rows_survive_bad_ones(shared):
    reading = read_manifest(shared / "data/broken/mixed_rows.json", shared / "data")

    assert [str(sample.answer)[:10] for sample in reading.samples] == ["plank - th", "=1+1", "a\x00b\x07c", "word word "]
    assert [(problem.row, problem.field) for problem in reading.problems] == [
        (1, "video"),
        (2, "conversations"),
        (3, "conversations"),
        (4, "question"),
        (4, "answer"),
        (5, "video"),
        (6, "video"),
        (7, "row"),
    ]
    assert str(reading.problems[0]) == (
        "row 1, video: is '../../../etc/passwd': it must not leave the media root, or data.allow_outside must be true"
    )
    assert str(reading.problems[-1]) == "row 7, row: repeats row 0: media, question and answer are the same"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("cut_off.json", r"cut_off\.json is cut off at line 1, column 701: the JSON list does not end"),
        ("empty.json", r"empty\.json is empty: it must hold a list of rows"),
        ("empty_list.json", r"empty_list\.json is an empty list: it must have at least one row"),
        ("latin1.json", r"latin1\.json is not UTF-8 \(line 1, byte 0xe9; it may be Latin-1"),
        ("not_a_list.json", r"not_a_list\.json holds 'hello': it must be a list of rows"),
        ("messages_wrong_roles.json", r"none of its 2 rows can be read"),
        ("absent.json", r"absent\.json does not exist"),
        (".", r"broken is a folder without dataset_dict\.json or state\.json: it must be a manifest file"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(shared, file, message):
    with pytest.raises(UserError, match=message):
        read_manifest(shared / "data/broken" / file, shared / "data")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"video": "a.mp4",}]', "not JSON at line 1, column 20"),
        (b'[\n {"video": nope}\n]', "not JSON at line 2, column 12: Expecting value"),
        (b'[\n {"video": "a.mp4"},\n', "cut off at line 2, column 21"),
        (b'[{"video": "a.mp4"}] []', "not JSON at line 1, column 22: Extra data"),
        (b'[{"frames": 1' + b"0" * 5000 + b"}]", "cannot be read: Exceeds the limit"),
        (b'{"video": "a.mp4"}\n{"video": "b.mp4"}\n', "none of its 2 rows can be read"),
        ('[{"video": "é"}]'.encode("utf-16"), "may be UTF-16"),
        (b" \n\n", "is empty"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_manifest(path)


def test_a_media_root_that_is_no_folder_is_refused(tmp_path):
    read(tmp_path, conversation())
    with pytest.raises(UserError, match=r"data\.media_root .*absent is not a folder"):
        read_manifest(tmp_path / "manifest.json", tmp_path / "absent")


@pytest.mark.parametrize(
    ("row", "field", "rule"),
    [
        ("text", "row", "must be an object"),
        ({"conversations": conversation()["conversations"]}, "video", "is missing"),
        (conversation(video=""), "video", "is empty"),
        (conversation(video=["a.mp4"]), "video", "a list: it must be a text"),
        (conversation(video="/etc/passwd"), "video", "must be relative to the media root"),
        (conversation(video="a/../../b.mp4"), "video", "must not leave the media root"),
        (conversation(video="a\0.mp4"), "video", "null character"),
        (conversation(video="a" * 256), "video", "longer than the path of a file can be"),
        ({"video": "a.mp4", "labels": []}, "conversations", "is None: it must be a list of a human turn"),
        ({"video": "a.mp4", "conversations": []}, "conversations", "must be a list of a human turn and a gpt turn"),
        ({"video": "a.mp4", "conversations": ["q", "a"]}, "conversations", "has turns from none, none"),
        (conversation(question=None), "conversations[0].value", "is missing"),
        (conversation(question=" \n"), "conversations[0].value", "is empty"),
        (conversation(question="<video>\n"), "question", "beside the placeholder"),
        (conversation(answer=5), "conversations[1].value", "is 5, a number"),
        (conversation(answer="\ud83d"), "conversations[1].value", "half of a surrogate pair"),
        (conversation(split="dev"), "split", "is 'dev': it must be train, validation or test"),
        ({"video": "a.mp4", "question": "q"}, "answer", "is missing"),
    ],
)
def test_a_bad_row_is_named_by_field_and_rule(tmp_path, row, field, rule):
    problem = only_problem(tmp_path, row)
    assert problem.field == field
    assert rule in problem.problem


def test_the_earlier_exchanges_of_a_conversation_are_its_history(tmp_path):
    turns = [*conversation(question="one", answer="1")["conversations"], *conversation(question="two")["conversations"]]  # type: ignore[misc]
    sample = read(tmp_path, {"video": "a.mp4", "conversations": turns}).samples[0]
    assert sample.history == (Exchange("one", "1"),)
    assert (sample.question, sample.answer) == ("two", "a")


def test_every_problem_of_a_row_is_told(tmp_path):
    reading = read(tmp_path, conversation("good.mp4"), conversation(video=None, question="", answer=[], split="all"))
    assert [problem.field for problem in reading.problems] == [
        "video",
        "conversations[0].value",
        "conversations[1].value",
        "split",
    ]


@pytest.mark.parametrize(("written", "meant"), [("train", "train"), ("val", "validation"), ("test", "test"), (None, None)])
def test_splits(tmp_path, written, meant):
    assert read(tmp_path, conversation(split=written)).samples[0].split == meant


def test_placeholders_are_taken_out_of_the_question_alone(tmp_path):
    sample = read(tmp_path, conversation(question="<video>\nWhat is it?", answer="a <video> tag")).samples[0]
    assert (sample.question, sample.answer) == ("What is it?", "a <video> tag")


def test_dots_that_stay_within_the_media_root_are_read(tmp_path):
    assert read(tmp_path, conversation("clips/../a.mp4")).problems == []


def test_links_of_the_media_root_are_followed_but_not_climbed_out_of(tmp_path):
    elsewhere = tmp_path / "disk/videos"
    elsewhere.mkdir(parents=True)
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(elsewhere)

    reading = read(root, conversation("link/a.mp4"), conversation("link/../secret.mp4"))

    assert [sample.video for sample in reading.samples] == ["link/a.mp4"]
    assert [(problem.row, problem.field) for problem in reading.problems] == [(1, "video")]


def test_ids_of_a_video_asked_about_twice_tell_its_rows_apart(tmp_path):
    rows = [conversation("a.mp4", "one"), conversation("a.mp4", "two"), conversation("b.mp4")]
    ids = [sample.id for sample in read(tmp_path, *rows).samples]

    assert len(set(ids)) == 3
    assert ids[2] == "b.mp4"
    assert all(name.startswith("a.mp4#") and len(name) == len("a.mp4#") + 8 for name in ids[:2])


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a.mp4", "b/ü.mp4", "c.mkv"]), st.text("ab=\n", min_size=1), st.text("xy\0", min_size=1)),
        min_size=1,
        max_size=12,
    ),
    random=st.randoms(use_true_random=False),
)
def test_ids_are_unique_and_independent_of_the_order_of_rows(tmp_path_factory, rows, random):
    folder = tmp_path_factory.mktemp("manifest")
    contents: list[object] = [conversation("good.mp4"), *(conversation(*row) for row in rows)]
    reading = read(folder, *contents)
    random.shuffle(contents)

    assert len({sample.id for sample in reading.samples}) == len(reading.samples)
    assert len(reading.samples) + len({problem.row for problem in reading.problems}) == len(contents)
    assert set(reading.samples) == set(read(folder, *contents).samples)


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["video", "conversations", "question", "answer", "split", "from", "value"]), inner
            )
        ),
    )
)
def test_any_json_beside_a_good_row_is_read_or_named(tmp_path_factory, row):
    reading = read(tmp_path_factory.mktemp("manifest"), conversation("good.mp4"), row)
    assert len(reading.samples) == 2 or any(problem.row == 1 for problem in reading.problems)
