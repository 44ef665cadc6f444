"""Ways in which reading a video may end a decoding process, or tell of it; imported by the processes themselves."""

import ctypes
import os
import signal
import time
from pathlib import Path

import numpy as np

from videoguard.frames.rule import FrameRule
from videoguard.frames.workers import EncodedVideo, read_video


def killed_on_bad(path: Path, rule: FrameRule) -> EncodedVideo:
    """Be killed, as by the out-of-memory killer, where the file's name says bad."""
    if "bad" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_video(path, rule)


def killed_on_first_attempt(path: Path, rule: FrameRule) -> EncodedVideo:
    """Be killed once for each file; the second attempt finds the mark that the first left."""
    mark = path.with_suffix(".attempted")
    if "bad" in path.name and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read_video(path, rule)


def killed_then_endless(path: Path, rule: FrameRule) -> EncodedVideo:
    """Be killed at the first attempt, and never return from the second."""
    mark = path.with_suffix(".attempted")
    if "bad" in path.name and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return endless_on_bad(path, rule)


def endless_on_bad(path: Path, rule: FrameRule) -> EncodedVideo:
    """Never return where the file's name says bad."""
    while "bad" in path.name:
        time.sleep(0.1)
    return read_video(path, rule)


def faulty(path: Path, rule: FrameRule) -> EncodedVideo:
    """Fail as a program does."""
    raise ZeroDivisionError(path.name)


def noted(path: Path, rule: FrameRule) -> EncodedVideo:
    """Write process and times of the reading to a file beside the video."""
    began = time.monotonic()
    video = read_video(path, rule)
    path.with_suffix(".noted").write_text(f"{os.getpid()} {began} {time.monotonic()}")
    return video


def endless(path: Path, rule: FrameRule) -> EncodedVideo:
    """Print the process's number and never return."""
    print(os.getpid(), flush=True)
    while path.name:
        time.sleep(0.1)
    return read_video(path, rule)


def greedy(path: Path, rule: FrameRule) -> EncodedVideo:
    """Take a gigabyte where the file's name says bad, as the frames of a decompression bomb do."""
    if "bad" in path.name:
        np.ones(1 << 30, np.uint8)
    return read_video(path, rule)


def greedy_in_c(path: Path, rule: FrameRule) -> EncodedVideo:
    """Write to memory that the C library could not get, where the file's name says bad."""
    if "bad" in path.name:
        library = ctypes.CDLL(None)
        library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        ctypes.memset(library.malloc(1 << 30), 1, 1 << 30)
    return read_video(path, rule)
