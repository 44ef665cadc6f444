"""Any format into any: what is written is read again, what cannot be held is told."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.manifests.samples import samples_of
from videoguard.errors import UserError
from videoguard.manifests.converting import convert_reading
from videoguard.manifests.formats.catalogue import FORMATS
from videoguard.manifests.reading import ManifestReading, read_manifest
from videoguard.manifests.sample import Sample, Scalar

SUFFIXES = {"json": ".json", "jsonl": ".jsonl", "csv": ".csv", "parquet": ".parquet"}


def reading_of(samples: Sequence[Sample], format_name: str) -> ManifestReading:
    return ManifestReading(list(samples), list(range(len(samples))), [], {format_name: len(samples)}, "json", {}, "")


def without_ids(samples: Sequence[Sample]) -> list[Sample]:
    return [replace(sample, id="") for sample in samples]


def draw_samples(data: st.DataObject, format_name: str, root: Path) -> list[Sample]:
    # Rows that differ in their fields alone are repeats.
    return data.draw(
        st.lists(samples_of(format_name, root), min_size=1, max_size=2, unique_by=lambda s: (s.media, s.question))
    )


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_again(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp()
    format_name, carrier = data.draw(st.sampled_from(sorted(FORMATS))), data.draw(st.sampled_from(sorted(SUFFIXES)))
    out = root / f"written{SUFFIXES[carrier]}"
    samples = draw_samples(data, format_name, root)
    done = convert_reading(reading_of(samples, format_name), out, force=True)
    assert (done.format, done.carrier, done.written, done.refused, done.lost) == (format_name, carrier, len(samples), [], {})
    again = read_manifest(out)
    assert (list(again.formats), again.carrier, again.unread) == ([format_name], carrier, {})
    assert without_ids(again.samples) == samples


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_folder_of_datasets_is_read_again(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp()
    format_name = data.draw(st.sampled_from(sorted(FORMATS)))
    samples = draw_samples(data, format_name, root)
    convert_reading(reading_of(samples, format_name), root / "saved", force=True)
    again = read_manifest(root / "saved")
    assert again.carrier == "datasets"
    assert without_ids(again.samples) == samples


@pytest.mark.parametrize("target", FORMATS)
def test_every_sample_manifest_becomes_every_format_or_says_why_not(shared, tmp_path, target):
    for manifest in sorted((shared / "data/manifests").iterdir()):
        reading = read_manifest(manifest, shared / "data")
        out = tmp_path / f"{manifest.stem}.{target}.jsonl"
        try:
            done = convert_reading(reading, out, format_name=target)
        except UserError:
            assert not out.exists()
            continue
        again = read_manifest(out, shared / "data")
        assert done.written + len(done.refused) == len(reading.samples)
        assert len(again.samples) == done.written
        assert list(again.formats) == [target]


def test_the_guard_becomes_flat_rows_without_its_clips(shared, tmp_path):
    reading = read_manifest(shared / "data/manifests/guard_clips.jsonl", shared / "data")
    done = convert_reading(reading, tmp_path / "flat.csv", format_name="flat")
    assert done.lost == {"clips": 6, "guard": 6}
    again = read_manifest(tmp_path / "flat.csv", shared / "data").samples
    assert [(s.video, s.question, s.answer, s.label) for s in again] == [
        (s.video, s.question, s.answer, s.label) for s in reading.samples
    ]


def test_images_are_not_made_a_video(shared, tmp_path):
    reading = read_manifest(shared / "data/manifests/messages_images.json", shared / "data")
    with pytest.raises(UserError) as refused:
        convert_reading(reading, tmp_path / "out.json", format_name="conversations")
    assert str(refused.value) == (
        "format conversations can hold none of the 6 rows (6 rows: has images, which the format conversations cannot hold): "
        "choose another --format"
    )
    assert list(tmp_path.iterdir()) == []


def test_answers_become_classes_by_the_exercise_that_they_name(shared, tmp_path):
    reading = read_manifest(shared / "data/manifests/flat.json", shared / "data")
    done = convert_reading(reading, tmp_path / "classes.csv", format_name="classes")
    assert done.lost == {"answer": 6, "question": 6}
    assert (tmp_path / "classes.csv").read_text().splitlines()[:2] == [
        '"video","label"',
        '"clips/plank_00000340.mp4","plank"',
    ]


def test_a_field_that_means_something_else_in_the_other_format_is_left_out(tmp_path):
    sample = Sample("a", tmp_path, "q", "a", fields={"input": "i", "subject": 7, "conversations": "none"})
    done = convert_reading(reading_of([sample], "messages"), tmp_path / "out.json", format_name="instruction")
    assert done.lost == {"field input": 1, "field conversations": 1}
    (again,) = read_manifest(tmp_path / "out.json").samples
    assert (again.question, again.fields) == ("q", {"subject": 7})


def test_numbers_stay_numbers_where_the_carrier_has_them(tmp_path):
    written: list[dict[str, Scalar]] = [{"x": 1}, {"x": "one"}, {"y": True}]
    samples = [Sample(str(n), tmp_path, f"q{n}", "a", fields=fields) for n, fields in enumerate(written)]
    for name in ("out.json", "out.parquet"):
        convert_reading(reading_of(samples, "instruction"), tmp_path / name)
    assert [s.fields for s in read_manifest(tmp_path / "out.json").samples] == written
    # A column of Parquet has one type.
    assert [s.fields for s in read_manifest(tmp_path / "out.parquet").samples] == [{"x": "1"}, {"x": "one"}, {"y": True}]


@pytest.mark.parametrize(
    ("name", "options", "rule"),
    [
        ("there.json", {}, "there.json exists: give another name, or --force"),
        ("out.xlsx", {}, "ends in .xlsx: it must end in .json, .jsonl, .ndjson, .csv, .parquet, or in nothing"),
        ("out.json", {"carrier": "yaml"}, "--carrier is yaml: it must be one of json, jsonl, csv, parquet, datasets"),
        ("out.json", {"format_name": "qved"}, "--format is qved: it must be one of sharegpt, messages, conversations"),
    ],
)
def test_a_place_or_format_that_cannot_be_written_is_refused(tmp_path, name, options, rule):
    (tmp_path / "there.json").write_text("precious")
    sample = Sample("a", tmp_path, "q", "a", "a.mp4")
    with pytest.raises(UserError, match=rule):
        convert_reading(reading_of([sample], "flat"), tmp_path / name, **options)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("name", ["there.json", "there"])
def test_force_replaces_a_file_or_a_folder(tmp_path, name):
    sample = Sample("a", tmp_path, "q", "a", "a.mp4")
    for answer in ("old", "new"):
        convert_reading(reading_of([replace(sample, answer=answer)], "flat"), tmp_path / name, force=True)
    assert [s.answer for s in read_manifest(tmp_path / name).samples] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_out_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(self: Path, *args: object, **more: object) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="disk is full"):
        convert_reading(reading_of([Sample("a", tmp_path, "q", "a", "a.mp4")], "flat"), tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []
