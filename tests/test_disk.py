import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from videoguard.config import FramesSection
from videoguard.disk import (
    Need,
    count_lora_parameters,
    count_whole_parameters,
    estimate_disk,
    frame_bytes,
    require_space,
    size_in_words,
)
from videoguard.errors import UserError


def qved(videos: int, adapter_parameters: int | None, base_parameters: int = 0) -> list[Need]:
    return estimate_disk(
        FramesSection(count=8, max_side=640),
        clips=videos,
        rows=12_000,
        adapter_parameters=adapter_parameters,
        base_parameters=base_parameters,
    )


@pytest.mark.parametrize("max_side", [96, 224])
@pytest.mark.parametrize(("codec", "quality"), [("jpeg", 75), ("jpeg", 90), ("jpeg", 95), ("jpeg", 100), ("png", 0)])
def test_frames_of_real_clips_take_what_is_estimated(shared: Path, max_side: int, codec, quality: int) -> None:
    from videoguard.frames.decoding import decode_video
    from videoguard.frames.rule import FrameRule

    measured = []
    for clip in sorted((shared / "data" / "clips").iterdir()):
        video = decode_video(clip, FrameRule(3, max_side, "jpeg", 95))
        for frame in video.frames:
            file = io.BytesIO()
            options = {"compress_level": 3} if codec == "png" else {"quality": quality, "subsampling": 0}
            Image.fromarray(frame).save(file, codec, **options)
            # As if the frame had the shape 4:3 that the estimate assumes.
            measured.append(len(file.getvalue()) * 0.75 / (frame.shape[0] * frame.shape[1] / max_side**2))
    assert sum(measured) / len(measured) == pytest.approx(frame_bytes(max_side, codec, quality), rel=0.2)


def test_each_part_is_estimated_from_what_it_is_made_of() -> None:
    needs = {need.part: need for need in qved(10_000, 1_000_000, 500_000)}
    # A frame of 640 × 480 at 0.31 + 51 / 640 bytes a pixel.
    assert needs["frames"].bytes == 10_000 * 8 * 119_712
    assert needs["frames"].how == "10,000 videos × 8 frames × 120 kB"
    # Four checkpoints (the newest two, the best, one under way) of weights (4 bytes) and optimizer (8), and the result: in
    # store and MLflow; in the store alone.
    assert needs["adapter"].bytes == 1_000_000 * (4 * 12 + 2 * 4)
    assert needs["base model"].bytes == 500_000 * (4 * 12 + 4)
    assert needs["rows"].bytes == 12_000 * 4_000
    assert list(needs) == ["frames", "rows", "base model", "adapter", "bookkeeping"]


def test_every_checkpoint_that_is_kept_is_counted() -> None:
    needs = estimate_disk(FramesSection(), clips=0, rows=0, adapter_parameters=1_000_000, keep_last=5)
    assert needs[0].bytes == 1_000_000 * (7 * 12 + 2 * 4)
    assert needs[0].how.startswith("1,000,000 weights: 7 checkpoints of 12 MB")


def test_what_is_stored_or_not_known_needs_nothing() -> None:
    needs = qved(0, None)
    assert [need.part for need in needs] == ["rows", "bookkeeping"]


@given(st.integers(1, 4000), st.sampled_from(["jpeg", "png"]), st.integers(1, 99))
def test_larger_and_better_frames_never_take_less(max_side, codec, quality) -> None:
    assert frame_bytes(max_side + 1, codec, quality) >= frame_bytes(max_side, codec, quality)
    assert frame_bytes(max_side, codec, quality + 1) >= frame_bytes(max_side, codec, quality)


def test_lora_weights_are_counted_as_peft_makes_them(tmp_path: Path) -> None:
    from videoguard.config import LoraSection, TinyModel
    from videoguard.models.base import find_base
    from videoguard.models.families import family_of
    from videoguard.models.loading import load_model
    from videoguard.models.tiny.building import build_tiny
    from videoguard.training.adapters import attach_adapter

    build_tiny(TinyModel(layers=1), ["a few words"], 0, tmp_path)
    base = find_base(str(tmp_path))
    excluded = family_of("internvl").not_language
    for targets in (LoraSection().targets, "all-linear"):
        model = attach_adapter(load_model(base, "float32"), LoraSection(r=8, targets=targets), base.family)
        trained, _ = model.get_nb_trainable_parameters()
        assert count_lora_parameters(tmp_path, 8, targets, excluded) == trained


def test_weights_that_are_trained_whole_are_counted_as_peft_saves_them(tmp_path: Path) -> None:
    from videoguard.config import LoraSection, TinyModel
    from videoguard.models.base import find_base
    from videoguard.models.loading import load_model
    from videoguard.models.tiny.building import build_tiny
    from videoguard.training.adapters import attach_adapter

    build_tiny(TinyModel(layers=1), ["a few words"], 0, tmp_path)
    base = find_base(str(tmp_path))
    plain, _ = attach_adapter(load_model(base, "float32"), LoraSection(), base.family).get_nb_trainable_parameters()
    lora = LoraSection(modules_to_save=("embed_tokens",))
    model = attach_adapter(load_model(base, "float32"), lora, base.family, ["projector"])
    trained, _ = model.get_nb_trainable_parameters()
    assert count_whole_parameters(tmp_path, ("embed_tokens",), [base.family.projector]) == trained - plain


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (119_712, "120 kB"),
        (1_250_000, "1.2 MB"),
        (2.5e12, "2,500.0 GB"),
    ],
)
def test_sizes_in_words(size, words) -> None:
    assert size_in_words(size) == words


def test_a_run_that_does_not_fit_is_refused_with_all_numbers(tmp_path: Path) -> None:
    state = tmp_path / "not" / "made" / "yet"
    needs = [Need("frames", 10**18, "many videos"), Need("adapter", 3_000_000, "few weights")]
    with pytest.raises(UserError) as refusal:
        require_space(needs, state)
    message = str(refusal.value)
    assert f"the run needs 1,100,000,000.0 GB in {state}, " in message
    assert "\n  - frames: 1,000,000,000.0 GB (many videos)\n  - adapter: 3.0 MB (few weights)\n" in message
    assert "  - reserve: 100,000,000.0 GB\n" in message
    for mend in ("video-guard artifacts gc", "frames.count", "execution.state"):
        assert mend in message
    assert not (tmp_path / "not").exists()


@pytest.fixture
def disk_of_400_mb(tmp_path: Path):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a disk of a known size can only be mounted by root")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_200_mb_at_least_stay_free(disk_of_400_mb: Path) -> None:
    free = shutil.disk_usage(disk_of_400_mb).free
    require_space([Need("frames", free - 200_000_000, "")], disk_of_400_mb)
    with pytest.raises(UserError, match="reserve: 200 MB"):
        require_space([Need("frames", free - 199_999_999, "")], disk_of_400_mb)
    require_space([], disk_of_400_mb)
