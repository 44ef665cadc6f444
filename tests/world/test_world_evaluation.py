"""Measures of clips by values worked out by hand, and the workbook that shows them."""

import io
from pathlib import Path

import numpy as np
import pytest
from openpyxl import load_workbook
from PIL import Image

from videoguard.world.evaluation.measures import ClipMeasures, mean_difference, measure, psnr, ssim
from videoguard.world.generation.request import CLIP, CONDITION, RECORD, ClipFacts
from videoguard.world.media import write_clip
from videoguard.world.workbook import ShownClip, contact_strip, write_clips_workbook


def grey(level: int, frames: int = 1) -> np.ndarray:
    return np.full((frames, 64, 96, 3), level, dtype=np.uint8)


@pytest.fixture
def clip_of(tmp_path):
    """Writes the folder of a clip: frames, and the condition that they are said to begin with."""

    def write(name: str, frames: np.ndarray, condition: np.ndarray) -> Path:
        folder: Path = tmp_path / name
        folder.mkdir()
        write_clip(folder / CLIP, frames, 16)
        for number, frame in enumerate(condition):
            Image.fromarray(frame).save(folder / CONDITION.format(number))
        facts = ClipFacts(
            prompt="=a prompt",
            refined_prompt=None,
            guardrail="off",
            refiner="off",
            width=96,
            height=64,
            frames=len(frames),
            fps=16,
            condition_frames=len(condition),
            seed=7,
            weights={},
            device="cpu",
            latents_sha256="",
            frames_sha256="",
        )
        (folder / RECORD).write_text(facts.model_dump_json())
        return folder

    return write


def test_psnr_and_difference_by_hand():
    # All pixels differ by 5: mean squared error 25, 10 · log10(255² / 25) = 34.1514 dB.
    assert psnr(grey(100), grey(105)) == pytest.approx(34.1514, abs=1e-4)
    assert mean_difference(grey(100), grey(105)) == 5
    assert psnr(grey(100), grey(100)) == 100


def test_structural_similarity_of_flat_pictures_by_hand():
    # Without variance only the luminance term is left: (2·100·120 + c) / (100² + 120² + c), c = (0.01 · 255)².
    constant = (0.01 * 255) ** 2
    wanted = (2 * 100 * 120 + constant) / (100**2 + 120**2 + constant)
    assert ssim(grey(100)[0], grey(120)[0]) == pytest.approx(wanted, abs=1e-6)


def test_a_still_that_keeps_its_condition(clip_of):
    found = measure(clip_of("still", grey(120, 9), grey(120, 5)))
    assert found.condition_psnr > 45
    assert found.condition_ssim > 0.99
    assert found.temporal_ssim == pytest.approx(1, abs=1e-3)
    assert found.temporal_change == pytest.approx(0, abs=0.5)
    assert found.base_difference is None


def test_noise_does_not_hold_together(clip_of):
    noise = np.random.default_rng(0).integers(0, 256, (9, 64, 96, 3), dtype=np.uint8)
    found = measure(clip_of("noise", noise, grey(120, 1)))
    assert found.temporal_ssim < 0.3
    assert found.condition_psnr < 15


def test_the_difference_to_the_base_leaves_the_condition_out(clip_of):
    # Five frames of the condition are alike, the four after it differ by 40.
    base = np.concatenate([grey(100, 5), grey(100, 4)])
    adapted = np.concatenate([grey(100, 5), grey(140, 4)])
    found = measure(clip_of("adapted", adapted, grey(100, 5)), clip_of("base", base, grey(100, 5)))
    assert found.base_difference == pytest.approx(40, abs=1)


def test_a_strip_shows_first_and_last_frame():
    frames = np.concatenate([grey(level) for level in range(0, 90, 10)])
    strip = np.asarray(contact_strip(frames))
    assert strip.shape == (84, 4 * 126 + 2 * 3, 3)
    assert (strip[40, 10, 0], strip[40, -10, 0]) == (0, 80)


def test_the_workbook_shows_clips_side_by_side_and_says_that_they_are_noise(clip_of, tmp_path):
    base, adapted = (clip_of(name, grey(100, 9), grey(100, 5)) for name in ("base", "adapted"))
    measures = {"base": measure(base), "adapted": measure(adapted, base)}
    path = tmp_path / "reports" / "clips.xlsx"
    write_clips_workbook(
        path,
        title="Clips",
        is_noise=True,
        clips=[ShownClip(Path("out/a.mp4"), {"base": base, "adapted": adapted}, measures)],
        failed={"out/b.mp4": "the file is missing"},
        facts={"Run": {"Recipe": "tiny"}},
        opened_from=tmp_path / "reports",
    )
    book = load_workbook(io.BytesIO(path.read_bytes()))
    assert book.sheetnames == ["Clips", "Errors", "Run"]
    clips = book["Clips"]
    assert str(clips["A1"].value).startswith("Noise: the pipeline is a tiny one of random weights")
    headings = [cell.value for cell in clips[3]]
    assert headings[:5] == ["Clip", "Prompt", "Given", "Base", "With adapters"]
    line = dict(zip(headings, (cell.value for cell in clips[4]), strict=True))
    assert (line["Prompt"], line["Seed"]) == ("=a prompt", 7)
    assert clips["B4"].data_type == "s"
    assert line["Difference to base (of 255), with adapters"] == measures["adapted"].base_difference
    # What was given, the base's strip and the adapter's.
    assert len(clips._images) == 3  # type: ignore[attr-defined]
    assert [cell.value for cell in book["Errors"][3]] == ["out/b.mp4", "the file is missing"]


def test_measures_are_finite():
    with pytest.raises(ValueError, match="condition_psnr"):
        ClipMeasures.model_validate({"condition_psnr": None})
