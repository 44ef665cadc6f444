"""Real and awkward files, decoded; what cannot be, refused by reason."""

from pathlib import Path

import av
import numpy as np
import pytest

from videoguard.exercises.video import write_video
from videoguard.frames.decoding import DecodeError, decode_video
from videoguard.frames.rule import FrameRule

DECODABLE = {
    # file: (width, height, frames in the file)
    "clips/plank_00000340.mp4": (640, 480, 145),
    "clips/cooking.avi": (320, 240, 270),
    "clips/flipping_a_pancake.mkv": (426, 240, 310),
    "hard/rotated_0.mov": (568, 320, 3),
    "hard/rotated_90.mov": (320, 568, 3),
    "hard/rotated_270.mov": (320, 568, 3),
    "hard/unordered_pts.mov": (50, 50, 4),
    "hard/one_frame.mp4": (224, 224, 1),
    "hard/three_frames.mp4": (224, 224, 3),
    "hard/variable_frame_rate.mp4": (160, 160, 50),
    "hard/odd_size_yuv444.mp4": (161, 91, 60),
    "hard/vp9.webm": (160, 90, 60),
    "hard/hevc.mp4": (160, 90, 60),
    "hard/all_black.mp4": (160, 120, 60),
}

NOT_DECODABLE = {
    "hard/empty.mp4": "the file is empty",
    "hard/text.mp4": "it is not a video file",
    "hard/truncated.mp4": "the file is cut off or damaged: its index (the moov box) is missing",
    "hard/audio_only.mp4": "it has no video stream",
    "hard/corrupted.mp4": "the video is damaged: its stream cannot be decoded",
    "hard/not_there.mp4": "the file is missing",
    "hard": "it is not a file",
}


def every_frame(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All frames (each eighth pixel) and their times in seconds, decoded in order by PyAV, a decoder of its own."""
    with av.open(str(path)) as container:
        decoded = [(frame.to_ndarray(format="rgb24")[::8, ::8], frame.time) for frame in container.decode(video=0)]
    images, times = zip(*decoded, strict=True)
    return np.stack(images).astype(int), np.array(times, dtype=float)


def nearest(images: np.ndarray, frame: np.ndarray) -> int:
    return int(np.abs(images - frame[::8, ::8].astype(int)).mean(axis=(1, 2, 3)).argmin())


@pytest.mark.parametrize(("name", "expected"), DECODABLE.items(), ids=list(DECODABLE))
def test_decodable_files_give_their_frames_upright_and_whole(shared, name, expected):
    width, height, frames = expected
    video = decode_video(shared / "data" / name, FrameRule(8, 4096, "jpeg", 95))

    assert (video.width, video.height, video.source_frames) == expected
    assert video.frames.shape == (min(8, frames), height, width, 3)
    assert video.frames.dtype == np.uint8
    assert (np.diff(video.timestamps_s) > 0).all()
    assert 0 <= video.timestamps_s[0] < video.timestamps_s[-1] + 1e-9 < video.duration_s


@pytest.mark.parametrize(("name", "reason"), NOT_DECODABLE.items(), ids=list(NOT_DECODABLE))
def test_undecodable_files_are_refused_by_reason(shared, name, reason):
    with pytest.raises(DecodeError) as refused:
        decode_video(shared / "data" / name, FrameRule(8, 640, "jpeg", 95))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "name", ["clips/baby_playing.mp4", "clips/cooking.avi", "clips/flipping_a_pancake.mkv", "hard/vp9.webm", "hard/hevc.mp4"]
)
def test_frames_are_those_that_another_decoder_shows_in_the_middle_of_each_span(shared, name):
    path = shared / "data" / name
    images, _ = every_frame(path)
    video = decode_video(path, FrameRule(8, 4096, "jpeg", 95))

    found = [nearest(images, frame) for frame in video.frames]
    middles = [(span + 0.5) * len(images) / 8 for span in range(8)]
    assert found == pytest.approx(middles, abs=1.0)


def test_frames_of_a_varying_rate_are_taken_by_time(shared):
    path = shared / "data/hard/variable_frame_rate.mp4"
    images, times = every_frame(path)
    video = decode_video(path, FrameRule(6, 4096, "jpeg", 95))

    middles = (np.arange(6) + 0.5) * video.duration_s / 6
    shown = [int(np.flatnonzero(times <= middle + 1e-4)[-1]) for middle in middles]
    assert [nearest(images, frame) for frame in video.frames] == shown
    np.testing.assert_allclose(video.timestamps_s, times[shown], atol=1e-4)


@pytest.mark.parametrize(("name", "quarter_turns"), [("rotated_0", 0), ("rotated_90", 3), ("rotated_270", 1)])
def test_rotation_in_the_metadata_is_applied(shared, name, quarter_turns):
    path = shared / f"data/hard/{name}.mov"
    with av.open(str(path)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    upright = np.rot90(stored, quarter_turns)
    assert np.abs(upright - decode_video(path, FrameRule(8, 4096, "jpeg", 95)).frames[0]).mean() < 3


def test_large_frames_are_fitted_and_small_ones_kept(shared):
    plank = decode_video(shared / "data/clips/plank_00000340.mp4", FrameRule(2, 96, "jpeg", 95))
    assert plank.frames.shape == (2, 72, 96, 3)
    assert (plank.width, plank.height) == (640, 480)
    assert decode_video(shared / "data/hard/hevc.mp4", FrameRule(2, 640, "jpeg", 95)).frames.shape == (2, 90, 160, 3)


def test_facts_of_the_source(shared):
    video = decode_video(shared / "data/clips/plank_00000340.mp4", FrameRule(8, 640, "jpeg", 95))
    assert video.source_fps == pytest.approx(30.0)
    assert video.duration_s == pytest.approx(145 / 30, abs=1e-3)


def test_a_file_without_times_gets_them_from_its_frame_rate(shared):
    video = decode_video(shared / "data/clips/cooking.avi", FrameRule(8, 64, "jpeg", 95))
    assert video.duration_s == pytest.approx(270 / video.source_fps)
    assert video.timestamps_s[0] == pytest.approx(16 / video.source_fps)


def test_a_half_of_a_file_without_an_index_is_refused_and_not_filled_up(shared, tmp_path):
    whole = (shared / "data/clips/cooking.avi").read_bytes()
    half = tmp_path / "half.avi"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match=r"damaged|cut off"):
        decode_video(half, FrameRule(8, 640, "jpeg", 95))


def test_a_container_that_cannot_be_read_is_told_from_another_file(tmp_path):
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100))
    with pytest.raises(DecodeError, match="container cannot be read"):
        decode_video(broken, FrameRule(8, 640, "jpeg", 95))


@pytest.mark.parametrize("width", [16, 48, 64, 90])
def test_the_frames_of_a_written_video_come_back_in_their_places(tmp_path, width):
    levels = np.linspace(10, 245, 24).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (24, 32, width, 3))
    write_video(tmp_path / "grey.mp4", frames, fps=12)

    video = decode_video(tmp_path / "grey.mp4", FrameRule(8, 640, "jpeg", 95))

    assert video.frames.shape == (8, 32, width, 3)
    np.testing.assert_allclose(video.frames.mean(axis=(1, 2, 3)), levels[[1, 4, 7, 10, 13, 16, 19, 22]], atol=3)
    np.testing.assert_allclose(video.timestamps_s, np.array([1, 4, 7, 10, 13, 16, 19, 22]) / 12, atol=1e-4)
    assert video.duration_s == pytest.approx(2.0, abs=1e-4)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    """4,000 frames at 50 per second, a key frame each 250; a frame's grey level is 20 and its number modulo 200."""
    path: Path = tmp_path_factory.mktemp("long") / "long.mp4"
    with av.open(str(path), "w") as container:
        stream: av.VideoStream = container.add_stream("libx264", rate=50, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(4000):
            grey = np.full((32, 32, 3), 20 + number % 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_long_video_gives_the_frames_of_its_middles_from_its_index(long_clip):
    video = decode_video(long_clip, FrameRule(8, 640, "png", 95))
    wanted = [250 + 500 * span for span in range(8)]
    np.testing.assert_allclose(video.timestamps_s, np.array(wanted) / 50, atol=1e-6)
    np.testing.assert_allclose(video.frames.mean(axis=(1, 2, 3)), [20 + number % 200 for number in wanted], atol=3)
    assert (video.source_frames, video.source_fps, video.duration_s) == (4000, 50.0, 80.0)


def test_a_long_video_that_is_cut_off_is_refused(long_clip, tmp_path):
    with (
        av.open(str(long_clip)) as source,
        av.open(str(tmp_path / "front.mp4"), "w", options={"movflags": "faststart"}) as copy,
    ):
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    whole = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "front.mp4").write_bytes(whole[:-200])
    with pytest.raises(DecodeError, match="cut off"):
        decode_video(tmp_path / "front.mp4", FrameRule(8, 640, "png", 95))
