"""Samples to rows on disk: grouped by what the video files hold, in an order that no manifest order changes."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from videoguard.dataset.building import build_dataset, messages_of, read_split
from videoguard.dataset.messages import conversation
from videoguard.dataset.splits import SPLITS, Split
from videoguard.digests import digest_file
from videoguard.errors import UserError
from videoguard.manifests.sample import Sample


def sample(
    name: str,
    answer: str = "squat - good",
    split: Split | None = None,
    id_: str | None = None,
    fields: dict[str, str] | None = None,
) -> Sample:
    return Sample(
        id=id_ or name, root=Path(), video=name, question="Which exercise?", answer=answer, split=split, fields=fields or {}
    )


def digests(samples: list[Sample]) -> dict[str, str]:
    return {str(sample.video): hashlib.sha256(str(sample.video).encode()).hexdigest() for sample in samples}


def build(folder: Path, samples: list[Sample], media: dict[str, str] | None = None, **changes: Any) -> dict[str, int]:
    rule: dict[str, Any] = {"validation": 0.2, "test": 0.3, "seed": 0, "system_prompt": None, "question": None}
    return build_dataset(samples, digests(samples) if media is None else media, **(rule | changes), folder=folder)


def rows(folder: Path) -> dict[Split, list[Any]]:
    return {split: list(read_split(folder, split)) for split in SPLITS}


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in folder.rglob("*") if path.suffix == ".arrow"}


@pytest.fixture
def samples() -> list[Sample]:
    return [sample(f"{number:02d}.mp4", f"{'squat' if number % 2 else 'lunge'} - good") for number in range(40)]


def test_a_row_says_what_its_sample_says(tmp_path):
    samples = [sample("a.mp4", "push-up - lower the chest", "train"), sample("b.mp4", "a baby reads", "test")]
    assert build(tmp_path / "set", samples) == {"train": 1, "validation": 0, "test": 1}

    (trained,), (tested,) = rows(tmp_path / "set")["train"], rows(tmp_path / "set")["test"]
    assert {key: value for key, value in trained.items() if key != "messages"} == {
        "id": "a.mp4",
        "video": "a.mp4",
        "group": hashlib.sha256(b"a.mp4").hexdigest(),
        "label": "push-up",
        "question": "Which exercise?",
        "answer": "push-up - lower the chest",
        "guard": None,
    }
    roles = [message["role"] for message in messages_of(trained)]
    assert roles == ["user", "assistant"]
    assert [part["text"] for part in messages_of(trained)[1]["content"]] == ["push-up - lower the chest"]
    assert tested["label"] == "a baby reads"


def test_every_sample_is_in_one_split_and_every_split_in_order_of_id(samples, tmp_path):
    numbers = build(tmp_path / "set", samples)
    found = rows(tmp_path / "set")
    ids = {split: [row["id"] for row in found[split]] for split in SPLITS}
    assert {split: len(ids[split]) for split in SPLITS} == numbers
    assert sorted(ids["train"] + ids["validation"] + ids["test"]) == [sample.id for sample in samples]
    assert all(ids[split] == sorted(ids[split]) for split in SPLITS)


def test_the_order_of_the_manifest_changes_no_byte(samples, tmp_path):
    build(tmp_path / "one", samples)
    build(tmp_path / "other", samples[::-1])
    assert files(tmp_path / "one") == files(tmp_path / "other")
    assert len(files(tmp_path / "one")) == 3


def test_the_system_prompt_and_the_question_of_the_recipe_are_asked(samples, tmp_path):
    build(tmp_path / "set", samples, system_prompt="You are a coach.", question="How is the form?")
    row = rows(tmp_path / "set")["train"][0]
    assert row["question"] == "How is the form?"
    wanted = conversation("How is the form?", row["answer"], "You are a coach.")
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
    assert [[part.get("text") for part in message["content"]] for message in row["messages"]] == [
        [part.get("text") for part in message["content"]] for message in wanted
    ]


def test_videos_in_quarantine_are_left_out(samples, tmp_path):
    media = digests(samples)
    del media["03.mp4"]
    assert sum(build(tmp_path / "set", samples, media).values()) == 39
    assert all(row["id"] != "03.mp4" for found in rows(tmp_path / "set").values() for row in found)


def test_the_same_content_under_two_names_is_in_one_split(samples, tmp_path):
    media = digests(samples)
    twins = [sample.video for sample in samples[::2]]
    media |= {twin: media[sample.video] for twin, sample in zip(twins, samples[1::2], strict=True)}
    build(tmp_path / "set", samples, media)

    groups = {split: {row["group"] for row in found} for split, found in rows(tmp_path / "set").items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["validation"] & groups["test"]


def test_several_questions_about_one_video_are_in_one_split(tmp_path):
    samples = [sample(f"{number}.mp4", id_=f"{number}.mp4#{part}") for number in range(10) for part in "ab"]
    build(tmp_path / "set", samples)
    for found in rows(tmp_path / "set").values():
        videos = [row["video"] for row in found]
        assert all(videos.count(video) == 2 for video in videos)


def test_the_splits_of_the_manifest_are_kept(samples, tmp_path):
    held_out = {"00.mp4", "01.mp4", "02.mp4"}
    marked = [sample(kept.video, split="test" if kept.video in held_out else None) for kept in samples]
    build(tmp_path / "set", marked)
    assert {row["id"] for row in rows(tmp_path / "set")["test"]} == held_out
    assert len(rows(tmp_path / "set")["validation"]) > 0


def test_a_video_in_two_splits_under_two_names_is_refused(tmp_path):
    samples = [sample("a.mp4", split="train"), sample("copy.mp4", split="test"), sample("b.mp4", split="test")]
    media = digests(samples) | {"copy.mp4": digests(samples)["a.mp4"]}
    with pytest.raises(UserError, match=r"splits overlap: one source video is in test \(copy.mp4\), train \(a.mp4\)"):
        build(tmp_path / "set", samples, media)


def test_too_few_videos_for_a_test_split_are_refused(tmp_path):
    with pytest.raises(UserError) as refused:
        build(tmp_path / "set", [sample("a.mp4"), sample("a.mp4", id_="again")])
    assert str(refused.value) == (
        "split test is empty: 2 usable samples of 1 distinct videos are too few for "
        "dataset.validation=0.2 and dataset.test=0.3"
    )


def test_a_test_share_of_nothing_is_refused(samples, tmp_path):
    with pytest.raises(UserError, match=r"split test is empty: 40 usable samples .* dataset.test=0.0"):
        build(tmp_path / "set", samples, test=0.0)


def test_a_manifest_that_is_all_test_leaves_nothing_to_train_on(tmp_path):
    with pytest.raises(UserError, match="split train is empty"):
        build(tmp_path / "set", [sample(f"{number}.mp4", split="test") for number in range(3)])


def test_the_videos_of_one_subject_are_in_one_split(tmp_path):
    samples = [sample(f"{number:02}.mp4", fields={"subject": f"p{number % 10}"}) for number in range(40)]
    build(tmp_path / "set", samples, group_by="subject")
    subjects = {split: {int(row["id"][:2]) % 10 for row in found} for split, found in rows(tmp_path / "set").items()}
    assert sum(map(len, subjects.values())) == 10
    assert all(int(row["group"][:8], 16) >= 0 for found in rows(tmp_path / "set").values() for row in found)


def test_a_subject_in_two_given_splits_is_refused(tmp_path):
    samples = [sample(f"{n}.mp4", split=split, fields={"subject": "p1"}) for n, split in enumerate(("train", "test"))]  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"splits overlap: subject p1 is in test \(1.mp4\), train \(0.mp4\)"):
        build(tmp_path / "set", samples, group_by="subject")


def test_too_few_subjects_are_told_as_such(tmp_path):
    samples = [sample(f"{number}.mp4", fields={"subject": "p1"}) for number in range(5)]
    with pytest.raises(
        UserError, match=r"split train is empty: 5 usable samples of 1 distinct values of subject are too few"
    ):
        build(tmp_path / "set", samples, group_by="subject")


def test_every_label_is_tested_where_there_is_enough_of_it(tmp_path):
    answers = ["squat - good"] * 30 + ["lunge - good"] * 8
    samples = [sample(f"{number:02}.mp4", answer) for number, answer in enumerate(answers)]
    for seed in range(12):
        build(tmp_path / f"{seed}", samples, seed=seed)
        assert {row["label"] for row in rows(tmp_path / f"{seed}")["test"]} == {"squat", "lunge"}


def test_prompts_are_templates(tmp_path):
    samples = [sample(f"{number}.mp4", fields={"subject": f"p{number}"}) for number in range(6)]
    build(tmp_path / "set", samples, system_prompt="You coach {subject}.", question="{question} Be {{brief}}.")
    row = rows(tmp_path / "set")["train"][0]
    assert row["question"] == "Which exercise? Be {brief}."
    assert messages_of(row)[0]["content"][0]["text"] == f"You coach p{row['id'][0]}."
    assert messages_of(row)[1]["content"][1]["text"] == row["question"]


def test_a_prompt_that_names_no_field_is_refused(samples, tmp_path):
    with pytest.raises(UserError, match=r"no value for {subject} in 40 of 40 samples"):
        build(tmp_path / "set", samples, question="{subject}?")
    assert not (tmp_path / "set").exists()


def text(question: str, answer: str = "yes", id_: str | None = None) -> Sample:
    return Sample(id=id_ or question, root=Path(), question=question, answer=answer)


def test_rows_of_text_show_nothing(tmp_path):
    assert build(tmp_path / "set", [text(f"question {number}") for number in range(20)])["train"] > 0
    for row in (row for split in rows(tmp_path / "set").values() for row in split):
        assert row["video"] is None
        assert messages_of(row) == conversation(row["question"], "yes", shows=False)
        assert [part["type"] for message in messages_of(row) for part in message["content"]] == ["text", "text"]


def test_the_same_question_stands_in_one_split(tmp_path):
    samples = [text(f"question {number}", answer, f"{number}{answer}") for number in range(30) for answer in ("yes", "no")]
    build(tmp_path / "set", samples)
    asked = {split: {row["question"] for row in members} for split, members in rows(tmp_path / "set").items()}
    assert sum(map(len, asked.values())) == len(set().union(*asked.values())) == 30


def test_images_are_one_clip_by_their_content(tmp_path):
    shown = [Sample(id=f"{n}", root=Path(), question="?", answer="a", images=(f"{n}/1.jpg", f"{n}/2.jpg")) for n in range(4)]
    # The first two show the same pictures under other names.
    media = {str(sample.clip): str(max(1, number)) * 64 for number, sample in enumerate(shown)}
    build(tmp_path / "set", shown, media)
    found = [row for members in rows(tmp_path / "set").values() for row in members]
    assert {row["video"] for row in found} == set(media)
    groups = {row["id"]: row["group"] for row in found}
    assert groups["0"] == groups["1"] != groups["2"]
